"""Makes a dump in the way that was chosen: with Cargo, or by a model of our own."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lsif.dump.cargo import failed_build_scripts
from lsif.dump.cargo_features import with_features
from lsif.dump.project.static import model_folder, pinned_environment
from lsif.dump.rust_analyzer import cargo_environment, write_dump
from lsif.errors import RustAnalyzerError

if TYPE_CHECKING:
    from configs.settings import RustAnalyzerSettings
    from lsif.dump.choice import Loading
    from lsif.dump.rust_analyzer import DumpMade

logger = logging.getLogger(__name__)


def make_dump(
    repo: Path, output: Path, loading: Loading, tool: RustAnalyzerSettings, target: Path
) -> DumpMade:
    """Write the dump of the repository to `output`, as a whole or not at all.

    Cargo builds in the folder `target`, not in the repository, unless CARGO_TARGET_DIR is set.
    Raises what `write_dump` raises.
    """
    environment, began = cargo_environment(tool, target), time.time()
    try:
        if loading.model is None:
            with with_features(environment, repo, loading.features, target) as changed:
                made = write_dump(repo, output, tool, changed, dump_format=loading.format)
            failed = failed_build_scripts(Path(environment["CARGO_TARGET_DIR"]), began)
            if failed:
                logger.warning(
                    "the build scripts of %s failed: what they generate is unknown, and the dump "
                    "is not kept. `cargo check` in %s says why",
                    ", ".join(failed),
                    repo,
                )
            return replace(made, failed_scripts=failed)
        pinned = pinned_environment(environment, loading.sysroot)
        with model_folder(loading.model, loading.sysroot, loading.sysroot_src) as folder:
            return write_dump(repo, output, tool, pinned, folder)
    except OSError as exc:  # write_dump raises none
        raise RustAnalyzerError(f"can't write {exc.filename}: {exc.strerror or exc}") from exc
