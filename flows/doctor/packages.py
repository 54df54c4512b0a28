"""The doctor's checks of Python and its packages. It reads their versions and imports none."""

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
from flows.server.environment import prefect_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from configs.settings import ClusterSettings
    from flows.doctor.finding import Status

_CHECKOUT = Path(configs.__file__).parent.parent
"""The folder of this program's sources; in an installed wheel, that of all packages."""
_CONSTRAINTS = "constraints.txt"
_PROGRAM = "lsif-ingest"
_OLDEST_PYTHON = (3, 11)
_ANSWER_S = 3.0
"""Seconds in which a scheduler takes a connection."""
_OF_PREFECT = ("prefect", "fastapi", "aiosqlite")
"""Prefect, and the packages of which it fails with other versions than the tested ones."""


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Return whether Python is recent enough."""
    name = ".".join(map(str, found))
    if found[:2] < _OLDEST_PYTHON:
        advice = "make setup PYTHON=/path/to/python3.11"
        return Finding("python", "failed", f"{name} found, 3.11 or later required", advice)
    return Finding("python", "ok", f"{name} in {sys.prefix}")


def check_packages(
    installed: Callable[[str], str] = version, constraints: Path | None = None
) -> Finding:
    """Return whether the packages have allowed versions, and those that were tested together."""
    required = [package for package in _requirements() if not _is_of_prefect(package)]
    everything = f"{len(required)} packages"
    return _compare("packages", required, installed, constraints, everything)


def check_prefect(
    installed: Callable[[str], str] = version, constraints: Path | None = None
) -> Finding:
    """Return whether Prefect's version and those of its partners fit."""
    required = [package for package in _requirements() if _is_of_prefect(package)]
    finding = _compare("prefect", required, installed, constraints, "")
    if finding.status != "ok":
        return finding
    versions = ", ".join(f"{name} {installed(name)}" for name in _OF_PREFECT)
    return Finding("prefect", "ok", f"{versions}; home {prefect_home()}")


def check_dask(cluster: ClusterSettings, installed: Callable[[str], str] = version) -> Finding:
    """Return whether the extra for Dask is installed, and the configured scheduler listens."""
    wanted, scheduler = cluster.runner == "dask", urlsplit(cluster.scheduler)
    found = {name: _installed(name, installed) for name in ("prefect-dask", "dask", "distributed")}
    if missing := [name for name, number in found.items() if number is None]:
        text = f"{', '.join(missing)} not installed"
        if not wanted:
            return Finding("dask", "skipped", text)
        text = f'cluster.runner is "dask"; {text}'
        return Finding("dask", "failed", text, install_extra("dask"))
    text = ", ".join(f"{name} {number}" for name, number in found.items())
    if not wanted or not scheduler.hostname:
        return Finding("dask", "ok", text)
    if why := why_no_scheduler(cluster.scheduler, _ANSWER_S):
        advice = f"dask scheduler --port {scheduler.port or DASK_PORT}, on that machine"
        return Finding("dask", "failed", why, advice)
    return Finding("dask", "ok", f"{text}; scheduler {cluster.scheduler} listens")


def is_checkout() -> bool:
    """Return whether the program runs from a checkout of its repository, not from a wheel."""
    return (_CHECKOUT / "pyproject.toml").is_file()


def constraints_file() -> Path | None:
    """Return the file of the versions that were tested together: the checkout's or the wheel's."""
    if is_checkout():
        return _CHECKOUT / _CONSTRAINTS
    try:
        files = distribution(_PROGRAM).files or ()
    except PackageNotFoundError:  # run from its folder, not installed
        return None
    return next((Path(file.locate()) for file in files if file.name == _CONSTRAINTS), None)


def install_extra(extra: str) -> str:
    """Return the command that installs an extra of this program; for a wheel, its packages."""
    constraints = constraints_file()
    command = (
        f"{pip_install()} -c {shlex.quote(str(constraints))}" if constraints else pip_install()
    )
    if is_checkout():
        return f"{command} -e {shlex.quote(f'{_CHECKOUT}[{extra}]')}"
    always = _requirements()
    packages = [package for package in _requirements(extra) if package not in always]
    names = [str(package).partition(";")[0].strip() for package in packages]
    return f"{command} {shlex.join(names)}"


def pip_install() -> str:
    """Return the beginning of a command that installs packages for this Python."""
    return f"{shlex.quote(sys.executable)} -m pip install"


def _compare(
    check: str,
    required: list[Requirement],
    installed: Callable[[str], str],
    constraints: Path | None,
    everything: str,
) -> Finding:
    tested = _tested(constraints or constraints_file())
    wrong, untested, mend = list[str](), list[str](), list[str]()
    for package in required:
        name, found = package.name, _installed(package.name, installed)
        pinned = tested.get(canonicalize_name(name))
        if found is None or not package.specifier.contains(found, prereleases=True):
            state = "is missing" if found is None else f"{found} found"
            note = f"; tested with {pinned}" if pinned else ""
            wrong.append(f"{name} {state}, {package.specifier} required{note}")
        elif pinned is not None and not _same(found, pinned):
            untested.append(f"{name} {found} found, tested with {pinned}")
        else:
            continue
        mend.append(f"{name}=={pinned}" if pinned else str(package).partition(";")[0])
    if mend:
        status: Status = "failed" if wrong else "warning"
        advice = f"{pip_install()} {shlex.join(mend)}"
        return Finding(check, status, "; ".join(wrong + untested), advice)
    if tested:
        return Finding(check, "ok", f"{everything} in the tested versions")
    unknown = "in allowed versions; there is no constraints.txt to compare them with"
    return Finding(check, "ok", f"{everything} {unknown}")


def _requirements(extra: str = "") -> list[Requirement]:
    """Return what this program requires, with one of its extras or with none."""
    try:
        found = [Requirement(text) for text in requires(_PROGRAM) or ()]
    except PackageNotFoundError:  # run from its folder, not installed
        return []
    return [
        package
        for package in found
        if package.marker is None or package.marker.evaluate({"extra": extra})
    ]


def _is_of_prefect(package: Requirement) -> bool:
    return canonicalize_name(package.name) in _OF_PREFECT


def _tested(constraints: Path | None) -> dict[str, str]:
    """Return the versions in constraints.txt by normalised name; none without the file."""
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
    """Return whether two versions are equal without a build's label, as in 2.13.0+cpu."""
    try:
        return Version(found).public == Version(pinned).public
    except InvalidVersion:
        return found == pinned
