"""Has rust-analyzer load a model instead of the repository.

Executed are rust-analyzer (with its macro server, which gets no macro) and `rustc`, which is asked
for its version, folder and cfgs; both of them outside of the repository, so that its
rust-toolchain.toml and .cargo/config.toml can't name other programs.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from machine.files import temporary_beside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lsif.dump.project.model import ProjectModel

NEUTRAL = Path("/")
"""A folder in which no repository can say which toolchain answers."""
_LONGEST_HEAD = 1 << 20
_OF_BUILDS = ("RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_BOOTSTRAP")


@contextmanager
def model_folder(model: ProjectModel, sysroot: str, sysroot_src: str) -> Iterator[Path]:
    """Yield a folder outside of the repository with the model's rust-project.json."""
    with tempfile.TemporaryDirectory(prefix="lsif-ingest-") as name:
        folder = Path(name).resolve()
        if sysroot_src and Path(sysroot_src, "Cargo.toml").is_file():
            sysroot_src = str(_without_manifest(Path(sysroot_src), folder / "library"))
        (folder / "rust-project.json").write_bytes(model.to_json(sysroot, sysroot_src))
        yield folder


def _without_manifest(library: Path, folder: Path) -> Path:
    """Return a folder of links to the crates of the standard library.

    rust-analyzer knows their dependencies. With the library's own manifest it would ask Cargo, and
    without network find neither core nor alloc from std.
    """
    folder.mkdir()
    for path in library.iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path.resolve())
    return folder


def pinned_environment(environment: Mapping[str, str], sysroot: str) -> dict[str, str]:
    """Return the environment in which the toolchain of `sysroot` answers, wherever it is asked."""
    pinned = {name: value for name, value in environment.items() if name not in _OF_BUILDS}
    root = Path(sysroot)
    if not sysroot:
        return pinned
    for program in ("cargo", "rustc"):
        path = root / "bin" / program
        if path.is_file():
            pinned[program.upper()] = str(path)
    if root.parent.name == "toolchains":  # rustup's
        pinned["RUSTUP_TOOLCHAIN"] = sysroot
    return pinned


def library_sources(sysroot: str, program: str) -> str:
    """Return the folder of the standard library's sources; empty if there is none.

    RUST_SRC_PATH names it, as for rust-analyzer; else it is in the sysroot, or beside the folder of
    a rust-analyzer that was installed with them.
    """
    places = [
        os.environ.get("RUST_SRC_PATH"),
        sysroot and f"{sysroot}/lib/rustlib/src/rust/library",
        f"{Path(program).resolve().parent.parent}/library",
    ]
    return next((place for place in places if place and Path(place, "core").is_dir()), "")


def set_project_root(dump: Path, root: Path) -> None:
    """Write into the dump's first line that `root` is the folder that it was made of."""
    with dump.open("rb") as file:
        head = file.readline(_LONGEST_HEAD)
        try:
            meta = orjson.loads(head)
        except orjson.JSONDecodeError:
            return
        if not isinstance(meta, dict) or meta.get("label") != "metaData":
            return
        temporary = temporary_beside(dump)
        try:
            with temporary.open("wb") as written:
                written.write(orjson.dumps({**meta, "projectRoot": root.as_uri()}) + b"\n")
                shutil.copyfileobj(file, written, 1 << 20)
            temporary.replace(dump)
        finally:
            temporary.unlink(missing_ok=True)
