from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from configs.settings import load_settings
from configs.workspace import (
    PARTS,
    ProjectFolder,
    Workspace,
    blocks_beside,
    collection_name,
    is_collection_name,
    project_name,
)
from embedding.models import fingerprints_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parent.parent
PACKAGES = ("configs", "machine", "lsif", "embedding", "storage", "search", "flows")
OWNER = TOP / "configs/workspace.py"
NAMES = {
    *PARTS,
    ".vectors.lock",
    "blocks.jsonl",
    "checkout",
    "dump.lsif",
    "map.json",
    "plan-",
    "report.html",
    "report.json",
    "runs",
    "sources.json",
    "structures.jsonl",
}
"""`lock` is missing: the embedded index has a file of that name in its own folder."""


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((TOP / package).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def spelled_in_paths(tree: ast.Module) -> Iterator[str]:
    """Yield the strings in FOLDER / "name", path.with_name("name") and path.glob("name")."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts: list[ast.expr] = [node.left, node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in ("glob", "rglob", "with_name", "joinpath"):
                continue
            parts = list(node.args)
        else:
            continue
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield from part.value.split("/")


def test_only_the_workspace_spells_names_of_the_data_folder() -> None:
    found = [
        f"{path.relative_to(TOP)}: {name}"
        for path, tree in modules()
        if path != OWNER
        for name in spelled_in_paths(tree)
        if name in NAMES
    ]
    assert found == []


def test_the_look_at_paths_sees_them() -> None:
    tree = ast.parse('a / "runs"\nb.glob("*/structures.jsonl")\nc.with_name("x")\n"qdrant"')
    assert list(spelled_in_paths(tree)) == ["runs", "*", "structures.jsonl", "x"]


def test_only_entry_points_take_all_settings() -> None:
    takers = [
        f"{path.relative_to(TOP)}: {node.name}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if argument.annotation is not None and ast.unparse(argument.annotation) == "Settings"
    ]
    assert takers == ["flows/ingest.py: ingest", "flows/orchestration.py: run_ingest"]


def test_blocks_are_embedded_as_snippets_by_the_code_model() -> None:
    workspace = Workspace(load_settings(None, ['embedding.code.recipe="words-2"']))
    assert list(workspace.models) == ["text", "code", "blocks"]
    code, blocks = workspace.models["code"], workspace.models["blocks"]
    assert (code.recipe, blocks.recipe) == ("words-2", "snippet-1")
    assert blocks == code.model_copy(update={"recipe": "snippet-1"})


def test_the_fingerprints_of_the_default_models_never_change() -> None:
    """Another digest here makes everybody's vectors again."""
    found = fingerprints_of(Workspace(load_settings()).models)
    assert {vector: one.digest for vector, one in found.items()} == {
        "text": "535526f8ca1a7bf620dfd024feee6963",
        "code": "7353a5c0ee6f5162fca9aaf1202a022e",
        "blocks": "7353a5c0ee6f5162fca9aaf1202a022e",
    }
    minilm = [f"embedding.{name}.model=packaged:all-MiniLM-L6-v2" for name in ("text", "code")]
    former = fingerprints_of(Workspace(load_settings(None, minilm)).models)
    assert {vector: one.digest for vector, one in former.items()} == {
        "text": "f978193cc7ff1474f294f246cd255d73",
        "code": "c924b2053b2769688ddacf24aaa07fbd",
        "blocks": "c924b2053b2769688ddacf24aaa07fbd",
    }


def test_files_of_a_project_are_in_its_folder(tmp_path: Path) -> None:
    workspace = Workspace(load_settings(None, [f"paths.data={tmp_path}", "project.branch=dev"]))
    project = workspace.for_project("sample")
    assert project.collection == "sample@dev"
    assert project.folder == workspace.project_folder("sample@dev")
    assert project.folder.structures == tmp_path / "projects/sample@dev/structures.jsonl"
    assert blocks_beside(project.folder.structures) == project.folder.blocks
    assert workspace.for_project("sample", "other").collection == "sample@other"
    assert workspace.store == str(tmp_path / "checkpoints")
    assert workspace.project_folders() == []
    project.folder.path.mkdir(parents=True)
    workspace.vectors_lock.touch()
    assert workspace.project_folders() == [ProjectFolder(tmp_path / "projects/sample@dev")]


def test_a_plan_has_a_folder_of_its_own_which_ends_with_it(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    with folder.plan() as plan:
        plan.structures.touch()
        assert folder.plans() == [plan.path]
    assert folder.plans() == []


def test_a_configured_store_is_taken_as_it_is() -> None:
    assert Workspace(load_settings(None, ["checkpoint.store=s3://b/c"])).store == "s3://b/c"


@pytest.mark.parametrize(
    ("text", "name"), [("My Repo (2)", "My-Repo-2"), ("größe", "größe"), ("..", "project")]
)
def test_a_folder_name_becomes_a_project_name(text: str, name: str) -> None:
    assert project_name(text) == name
    assert is_collection_name(name)


def test_two_branches_never_share_an_index() -> None:
    names = [collection_name("p", branch) for branch in ("", "a/b", "a-b", "a b")]
    assert len(set(names)) == len(names)
    assert all(map(is_collection_name, names))
    assert not is_collection_name(f"..{os.sep}p")
