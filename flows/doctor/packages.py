"""The doctor's checks of Python and its packages. None of them is imported: what is installed says its version."""

from __future__ import annotations

import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

import configs
from flows.doctor.finding import Finding
from flows.runners import DASK_PORT, why_no_scheduler
from flows.server.files import prefect_home
from machine.disk import why_not_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from configs.settings import ClusterSettings

_CHECKOUT = Path(configs.__file__).parent.parent
"""The folder of this program's sources; in an installed wheel, that of all packages."""
_CONSTRAINTS = "constraints.txt"
_PROGRAM = "lsif-ingest"
_OLDEST_PYTHON = (3, 11)
_ANSWER_S = 3.0
"""Seconds in which a scheduler takes a connection."""
_OF_PREFECT = ("prefect", "fastapi", "aiosqlite")
"""Prefect, and what it fails with in other versions than those that were tried."""


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Return whether Python is recent enough."""
    name = ".".join(map(str, found))
    if found[:2] < _OLDEST_PYTHON:
        return Finding(
            "python",
            "failed",
            f"{name}; 3.11 or later is needed",
            "make setup PYTHON=/path/to/python3.11",
        )
    return Finding("python", "ok", f"{name} in {sys.prefix}")


def check_packages(
    installed: Callable[[str], str] = version, constraints: Path | None = None
) -> Finding:
    """Return whether the packages are there in versions that may be used, and that were tried together."""
    needed = [one for one in _requirements() if canonicalize_name(one.name) not in _OF_PREFECT]
    return _compare("packages", needed, installed, constraints, f"{len(needed)} packages")


def check_prefect(
    installed: Callable[[str], str] = version, constraints: Path | None = None
) -> Finding:
    """Return whether Prefect and its partners fit, and whether it can write its home."""
    needed = [one for one in _requirements() if canonicalize_name(one.name) in _OF_PREFECT]
    home = prefect_home()
    if reason := why_not_writable(home):
        return Finding(
            "prefect",
            "failed",
            f"PREFECT_HOME {home} can't be written: {reason}",
            "export PREFECT_HOME=DIR",
        )
    finding = _compare("prefect", needed, installed, constraints, "")
    if finding.status != "ok":
        return finding
    versions = ", ".join(f"{name} {installed(name)}" for name in _OF_PREFECT)
    return Finding("prefect", "ok", f"{versions}; home {home}")


def check_dask(settings: ClusterSettings, installed: Callable[[str], str] = version) -> Finding:
    """Return whether the extra for a Dask cluster is installed, and whether the scheduler that is configured listens."""
    wanted, scheduler = settings.runner == "dask", urlsplit(settings.scheduler)
    found = {name: _installed(name, installed) for name in ("prefect-dask", "dask", "distributed")}
    if missing := [name for name, one in found.items() if one is None]:
        words = f"{', '.join(missing)} not installed"
        if wanted:
            return Finding(
                "dask", "failed", f'cluster.runner is "dask"; {words}', install_extra("dask")
            )
        return Finding("dask", "skipped", words)
    words = ", ".join(f"{name} {one}" for name, one in found.items())
    if not wanted or not scheduler.hostname:
        return Finding("dask", "ok", words)
    if why := why_no_scheduler(settings.scheduler, _ANSWER_S):
        return Finding(
            "dask",
            "failed",
            why,
            f"dask scheduler --port {scheduler.port or DASK_PORT}, on that machine",
        )
    return Finding("dask", "ok", f"{words}; scheduler {settings.scheduler} listens")


def constraints_file() -> Path | None:
    """Return the file of the versions that were tested together: the checkout's or the wheel's."""
    if (_CHECKOUT / "pyproject.toml").is_file():
        return _CHECKOUT / _CONSTRAINTS
    try:
        files = distribution(_PROGRAM).files or ()
    except PackageNotFoundError:  # run from its folder, not installed
        return None
    return next((Path(file.locate()) for file in files if file.name == _CONSTRAINTS), None)


def install_extra(extra: str) -> str:
    """Return the command that installs an extra of this program: for a wheel, what it requires."""
    constraints = constraints_file()
    command = f"{_pip()} -c {shlex.quote(str(constraints))}" if constraints else _pip()
    if (_CHECKOUT / "pyproject.toml").is_file():
        return f"{command} -e {shlex.quote(f'{_CHECKOUT}[{extra}]')}"
    needed = [
        str(requirement).partition(";")[0].strip()
        for requirement in _requirements(extra)
        if requirement not in _requirements()
    ]
    return f"{command} {shlex.join(needed)}"


def _compare(
    check: str,
    needed: list[Requirement],
    installed: Callable[[str], str],
    constraints: Path | None,
    everything: str,
) -> Finding:
    tried = _tried(constraints or constraints_file())
    bad, other, mend = list[str](), list[str](), list[str]()
    for requirement in needed:
        name, found = requirement.name, _installed(requirement.name, installed)
        pinned = tried.get(canonicalize_name(name))
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            bad.append(f"{name} {found or 'is missing'}, needed is {requirement.specifier}")
        elif pinned is not None and not _same(found, pinned):
            other.append(f"{name} {found}, tried was {pinned}")
        else:
            continue
        mend.append(f"{name}=={pinned}" if pinned else str(requirement).partition(";")[0])
    if not mend:
        known = (
            "as tried together"
            if tried
            else "in versions that may be used; no constraints.txt to compare them with"
        )
        return Finding(check, "ok", f"{everything} {known}")
    return Finding(
        check,
        "failed" if bad else "warning",
        "; ".join(bad + other),
        f"{_pip()} {shlex.join(mend)}",
    )


def _requirements(extra: str = "") -> list[Requirement]:
    """Return what this program requires, with one of its extras or with none."""
    try:
        found = [Requirement(text) for text in requires(_PROGRAM) or ()]
    except PackageNotFoundError:  # run from its folder, not installed
        return []
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})]


def _tried(constraints: Path | None) -> dict[str, str]:
    """Return the versions in constraints.txt by normalised name, none if there is no such file."""
    try:
        lines = constraints.read_text(encoding="utf-8").splitlines() if constraints else []
    except OSError:
        return {}
    pairs: Iterable[tuple[str, str, str]] = (
        line.strip().partition("==") for line in lines if not line.startswith("#")
    )
    return {canonicalize_name(name): number for name, separator, number in pairs if separator}


def _installed(name: str, installed: Callable[[str], str]) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _same(found: str, pinned: str) -> bool:
    """Return whether the versions are the same but for a build's own mark, as in 2.13.0+cpu."""
    try:
        return Version(found).public == Version(pinned).public
    except InvalidVersion:
        return found == pinned


def _pip() -> str:
    return f"{shlex.quote(sys.executable)} -m pip install"
