"""The crates of a rust-project.json.

https://rust-analyzer.github.io/book/non_cargo_based_projects.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lsif.manifests.manifest import EDITIONS

if TYPE_CHECKING:
    from pathlib import Path

_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}")
_CFG = re.compile(r'[^=]+(?:=".*")?', re.DOTALL)


@dataclass(slots=True)
class Crate:
    """One crate that rust-analyzer analyses.

    rust-analyzer rejects a whole model for one version, edition, cfg or name that it can't read,
    so none of these gets into it.
    """

    name: str
    root: str
    """Its root file, relative to the repository."""
    edition: str
    version: str = ""
    cfgs: tuple[str, ...] = ()
    package: str | None = None
    """Folder of its manifest, relative to the repository; None if it has none."""
    env: dict[str, str] = field(default_factory=dict)
    """What `env!` finds besides the manifest's place."""
    proc_macro: bool = False
    """Its macros are never expanded: that would take a build."""
    dependencies: dict[str, int] = field(default_factory=dict)
    """Positions of other crates, by the name that this one's code uses."""

    def __post_init__(self) -> None:
        if self.edition not in EDITIONS:
            self.edition = EDITIONS[-1]
        if not _VERSION.fullmatch(self.version):
            self.version = ""
        self.cfgs = tuple(cfg for cfg in self.cfgs if _CFG.fullmatch(cfg))
        self.dependencies = {name.replace("-", "_"): at for name, at in self.dependencies.items()}

    def to_json(self, repository: Path, left_out: list[str]) -> dict[str, object]:
        """Return the crate as rust-analyzer reads it.

        The whole repository is one source root: `#[path]` and `include!` may lead anywhere in it.
        """
        env = self.env
        if self.package is not None:
            folder = repository if self.package == "." else repository / self.package
            manifest = {"DIR": str(folder), "PATH": str(folder / "Cargo.toml")}
            env = {**env, **{f"CARGO_MANIFEST_{key}": value for key, value in manifest.items()}}
        return {
            "display_name": self.name,
            "root_module": str(repository / self.root),
            "edition": self.edition,
            **({"version": self.version} if self.version else {}),
            "deps": [{"crate": at, "name": name} for name, at in self.dependencies.items()],
            "is_workspace_member": True,
            "source": {"include_dirs": [str(repository)], "exclude_dirs": left_out},
            "cfg": list(self.cfgs),
            "env": env,
            "is_proc_macro": self.proc_macro,
        }


def reaches(crates: list[Crate], start: int, goal: int) -> bool:
    """Return whether the crate at `start` is the one at `goal` or depends on it."""
    seen, waiting = {start}, [start]
    while waiting:
        at = waiting.pop()
        if at == goal:
            return True
        new = set(crates[at].dependencies.values()) - seen
        seen |= new
        waiting += new
    return False
