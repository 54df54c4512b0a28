"""The model that rust-analyzer loads instead of the repository, from manifests alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import orjson
import pytest

from lsif.dump.project.crates import Crate
from lsif.dump.project.features import Features
from lsif.dump.project.model import ProjectModel, make_model
from lsif.manifests.manifest import inside


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(os.fsencode(text))


def package(name: str, rest: str = "") -> str:
    return f'[package]\nname = "{name}"\nversion = "1.2.3"\nedition = "2021"\n{rest}'


def model(root: Path, features: Features = "all", cfgs: tuple[str, ...] = ()) -> ProjectModel:
    return make_model(root, features, cfgs)


def crates(root: Path, features: Features = "all") -> dict[str, Crate]:
    return {crate.root: crate for crate in model(root, features).crates}


def uses(made: ProjectModel, root: str) -> dict[str, str]:
    """Return the roots of the crates that a crate depends on, by the name that it uses."""
    crate = next(crate for crate in made.crates if crate.root == root)
    return {name: made.crates[at].root for name, at in crate.dependencies.items()}


def features_of(crate: Crate) -> list[str]:
    return [cfg.split('"')[1] for cfg in crate.cfgs if cfg.startswith("feature=")]


def test_every_target_of_a_package_is_a_crate(tmp_path: Path) -> None:
    files = (
        "build.rs",
        "src/lib.rs",
        "src/main.rs",
        "src/bin/tool.rs",
        "src/bin/big/main.rs",
        "src/bin/big/part.rs",
        "examples/show.rs",
        "tests/one.rs",
        "tests/common/mod.rs",
        "benches/fast.rs",
        "elsewhere/odd.rs",
    )
    write(tmp_path, dict.fromkeys(files, ""))
    odd = '[[test]]\nname = "odd"\npath = "elsewhere/odd.rs"\n'
    write(tmp_path, {"Cargo.toml": package("my-app", odd)})
    assert {crate.root: crate.name for crate in model(tmp_path).crates} == {
        "src/lib.rs": "my_app",
        "src/main.rs": "my_app",
        "src/bin/tool.rs": "tool",
        "src/bin/big/main.rs": "big",
        "examples/show.rs": "show",
        "tests/one.rs": "one",
        "elsewhere/odd.rs": "odd",
        "benches/fast.rs": "fast",
        "build.rs": "build_script_build",
    }


def test_automatic_targets_can_be_off_and_a_build_script_elsewhere(tmp_path: Path) -> None:
    off = "autobins = false\nautotests = false\nautobenches = false\nautoexamples = false\n"
    write(tmp_path, {"Cargo.toml": package("a", f'{off}build = "make/it.rs"\n')})
    files = ("src/lib.rs", "src/main.rs", "tests/t.rs", "benches/b.rs", "examples/e.rs")
    write(tmp_path, dict.fromkeys((*files, "build.rs", "make/it.rs"), ""))
    assert list(crates(tmp_path)) == ["src/lib.rs", "make/it.rs"]


WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["core", "app", "macros"]\n'
    '[workspace.package]\nedition = "2018"\nversion = "0.3.0"\n'
    '[workspace.dependencies]\ncore-lib = { path = "core", features = ["fast"] }\n',
    "core/Cargo.toml": '[package]\nname = "core-lib"\nedition.workspace = true\n'
    'version.workspace = true\nlicense = "MIT"\n[lib]\nname = "engine"\n'
    '[dev-dependencies]\napp = { path = "../app" }\n'
    '[features]\nfast = []\nslow = ["fast"]\ndefault = []\n',
    "core/src/lib.rs": "",
    "core/tests/it.rs": "",
    "app/Cargo.toml": package(
        "app",
        '[dependencies]\ncore-lib = { workspace = true, features = ["slow"] }\n'
        'short = { path = "../macros", package = "long-macros" }\n'
        'serde = { version = "1", optional = true }\n'
        'out = { path = "../../outside" }\n'
        '[target.\'cfg(windows)\'.dependencies]\nwin = { path = "../core", package = "core-lib" }\n'
        '[build-dependencies]\ntool = { path = "../core", package = "core-lib" }\n'
        '[features]\ndefault = ["std"]\nstd = []\nrare = ["dep:serde"]\n',
    ),
    "app/build.rs": "",
    "app/src/lib.rs": "",
    "app/src/main.rs": "",
    "macros/Cargo.toml": package("long-macros", "[lib]\nproc-macro = true\n"),
    "macros/src/lib.rs": "",
}


@pytest.mark.parametrize(
    ("edition", "rest", "expected"),
    [
        ("2015", "", {"one", "two"}),
        ("2015", '[[test]]\nname = "one"\n', {"one"}),
        ("2015", "autotests = true\n[[test]]\nname = 'one'\n", {"one", "two"}),
        ("2018", '[[test]]\nname = "one"\n', {"one", "two"}),
        ("2018", "autotests = false\n[[test]]\nname = 'one'\n", {"one"}),
    ],
)
def test_in_the_first_edition_named_targets_are_all_of_their_kind(
    tmp_path: Path, edition: str, rest: str, expected: set[str]
) -> None:
    """https://doc.rust-lang.org/cargo/reference/cargo-targets.html#target-auto-discovery"""
    manifest = package("r", rest).replace("2021", edition)
    write(tmp_path, {"Cargo.toml": manifest, "tests/one.rs": "", "tests/two.rs": ""})
    assert {crate.name for crate in model(tmp_path).crates} == expected


def test_crates_depend_on_each_other_by_the_names_that_the_manifests_give(tmp_path: Path) -> None:
    write(tmp_path, WORKSPACE)
    made = model(tmp_path)
    named = {
        "engine": "core/src/lib.rs",
        "short": "macros/src/lib.rs",
        "win": "core/src/lib.rs",
    }
    assert uses(made, "app/src/lib.rs") == named
    assert uses(made, "app/src/main.rs") == {"app": "app/src/lib.rs", **named}
    assert uses(made, "app/build.rs") == {"tool": "core/src/lib.rs"}
    assert uses(made, "core/src/lib.rs") == {}  # its tests need app, which needs it
    assert uses(made, "core/tests/it.rs") == {
        "engine": "core/src/lib.rs",
        "app": "app/src/lib.rs",
    }


def test_editions_versions_and_what_env_finds_may_come_from_the_workspace(tmp_path: Path) -> None:
    write(tmp_path, WORKSPACE)
    core = crates(tmp_path)["core/src/lib.rs"]
    assert (core.edition, core.version) == ("2018", "0.3.0")
    expected = {
        "CARGO_PKG_NAME": "core-lib",
        "CARGO_PKG_VERSION": "0.3.0",
        "CARGO_PKG_VERSION_MINOR": "3",
        "CARGO_PKG_LICENSE": "MIT",
        "CARGO_CRATE_NAME": "engine",
    }
    assert core.env.items() >= expected.items()
    written = core.to_json(tmp_path, [])
    assert isinstance(written["env"], dict)
    assert written["env"]["CARGO_MANIFEST_DIR"] == str(tmp_path / "core")
    assert written["root_module"] == str(tmp_path / "core" / "src" / "lib.rs")


def test_a_procedural_macro_has_no_library_to_load(tmp_path: Path) -> None:
    write(tmp_path, WORKSPACE)
    made = model(tmp_path)
    written = orjson.loads(made.to_json("/sysroot", "/sources"))
    assert [crate["is_proc_macro"] for crate in written["crates"]].count(True) == 1
    assert b"dylib" not in made.to_json("/sysroot", "/sources")
    assert (written["sysroot"], written["sysroot_src"]) == ("/sysroot", "/sources")
    assert orjson.loads(made.to_json("", "")).keys() == {"crates"}


@pytest.mark.parametrize(
    ("wanted", "app", "core"),
    [
        ("all", ["default", "rare", "serde", "std"], ["default", "fast", "slow"]),
        ("default", ["default", "std"], ["default", "fast", "slow"]),
        (["rare"], ["default", "rare", "serde", "std"], ["default", "fast", "slow"]),
        (["app/rare"], ["default", "rare", "serde", "std"], ["default", "fast", "slow"]),
        (["core-lib/rare"], ["default", "std"], ["default", "fast", "slow"]),
    ],
)
def test_features_are_on_as_wanted(
    tmp_path: Path, wanted: Features, app: list[str], core: list[str]
) -> None:
    write(tmp_path, WORKSPACE)
    made = crates(tmp_path, wanted)
    assert features_of(made["app/src/main.rs"]) == app
    assert features_of(made["core/src/lib.rs"]) == core
    assert features_of(made["app/build.rs"]) == []


def test_a_feature_that_no_package_has_is_told(tmp_path: Path) -> None:
    write(tmp_path, WORKSPACE)
    assert model(tmp_path, ["std", "app/rare", "nosuch"]).unknown_features == ["nosuch"]


def test_extra_cfgs_are_those_of_all_crates(tmp_path: Path) -> None:
    write(tmp_path, WORKSPACE)
    made = model(tmp_path, cfgs=("tokio_unstable",))
    assert made.cfgs == ["debug_assertions", "test", "tokio_unstable"]
    assert all("tokio_unstable" in crate.cfgs and "test" in crate.cfgs for crate in made.crates)


def test_what_can_not_be_used_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = ["good", "gone", "more/*"]\n',
            "good/Cargo.toml": package("same", '[[bin]]\nname = "lost"\n[[example]]\npath = "x"\n'),
            "good/src/lib.rs": "",
            "twin/Cargo.toml": package("same"),
            "twin/src/lib.rs": "",
            "broken/Cargo.toml": "[package\n",
            "nameless/Cargo.toml": "[package]\n",
            "binary/Cargo.toml": "",
        },
    )
    (tmp_path / "binary" / "Cargo.toml").write_bytes(b"\xff\xfe")
    made = model(tmp_path)
    assert [crate.root for crate in made.crates] == ["good/src/lib.rs", "twin/src/lib.rs"]
    assert made.manifests == ["good/Cargo.toml", "twin/Cargo.toml"]
    reasons = dict(line.split(": ", 1) for line in made.skipped)
    assert reasons["broken/Cargo.toml"].startswith("it is not TOML: ")
    assert reasons["binary/Cargo.toml"].startswith("it is not TOML: ")
    assert reasons["nameless/Cargo.toml"] == "its package has no name"
    assert reasons["gone/Cargo.toml"] == "Cargo.toml names this member, but it is not there"
    assert "good/Cargo.toml: the file of bin lost is missing: good/src/main.rs" in made.skipped
    assert "good/Cargo.toml: a example has no name" not in made.skipped
    assert "good/Cargo.toml: an example has no name" in made.skipped


@pytest.mark.parametrize(
    "text",
    [
        'package = 3\nlib = "x"\nbin = {}\nfeatures = []\ndependencies = 1\n',
        '[package]\nname = "a"\nversion = 1\nedition = 2021\nauthors = [1]\nbuild = 3\n',
        (
            '[package]\nname = "a"\n[lib]\npath = 1\n[features]\nx = 1\n'
            "[dependencies]\ny = 1\nz = []\n"
        ),
        '[package]\nname = "a"\nworkspace = "../.."\n[target]\nx = 1\n[patch]\ny = 2\n',
        '[package]\nname = "a"\n[workspace]\nmembers = [1, "/etc", "../.."]\npackage = 1\n',
        (
            '[package]\nname = "a"\n[lib]\npath = "../../x.rs"\n'
            '[[bin]]\nname = "b"\npath = "/etc/passwd"\n'
        ),
        f"x = {'1' * 5000}",
        f"x = {'[' * 5000}",
        '[package]\nname = "a"\nversion = "01.2.3"\n[lib]\nedition = "2099"\n',
        '[package]\nname = "a"\nedition = "2099"\n[dependencies]\n"1-x" = { path = "b" }\n',
    ],
)
def test_odd_manifests_break_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"Cargo.toml": text, "src/lib.rs": "", "b/src/lib.rs": ""})
    write(tmp_path, {"b/Cargo.toml": package("b")})
    made = model(tmp_path)
    assert "b/src/lib.rs" in {crate.root for crate in made.crates}
    assert all(crate.edition in ("2015", "2018", "2021", "2024") for crate in made.crates)
    assert all(not crate.root.startswith(("/", "..")) for crate in made.crates)
    assert all(crate.version in ("", "0.0.0", "1.2.3") for crate in made.crates)


def test_a_manifest_of_many_megabytes_is_not_parsed(tmp_path: Path) -> None:
    with (tmp_path / "Cargo.toml").open("wb") as file:
        file.truncate(5_000_000)
    write(tmp_path, {"a.rs": ""})
    assert model(tmp_path).skipped == ["Cargo.toml: it is larger than 4 MB"]


def test_a_target_outside_of_the_repository_is_told(tmp_path: Path) -> None:
    outside = '[[bin]]\nname = "b"\npath = "../../x.rs"\n'
    write(tmp_path, {"Cargo.toml": package("a", outside), "src/lib.rs": ""})
    assert model(tmp_path).skipped == ["Cargo.toml: the file of bin b is outside of the repository"]


@pytest.mark.parametrize("in_git", [False, True])
def test_files_whose_names_are_not_utf8_are_told(tmp_path: Path, in_git: bool) -> None:
    write(tmp_path, {"Cargo.toml": package("a"), "src/lib.rs": "", ".gitignore": "/\udcff\n"})
    if in_git:
        subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for path in ("src/bin/\udcff.rs", "b\udcff/Cargo.toml", "\udcff/target/CACHEDIR.TAG"):
        write(tmp_path, {path: ""})
    made = model(tmp_path)
    assert [crate.root for crate in made.crates] == ["src/lib.rs"]
    assert sorted(made.skipped) == [
        "b\ufffd/Cargo.toml: its name is not UTF-8",
        "src/bin/\ufffd.rs: its name is not UTF-8",
    ]
    assert made.to_json("", "")


def test_crates_that_depend_on_each_other_make_no_circle(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        dependency = f'[dependencies]\n{other} = {{ path = "../{other}" }}\n'
        write(tmp_path, {f"{name}/Cargo.toml": package(name, dependency), f"{name}/src/lib.rs": ""})
    made = model(tmp_path)
    assert [uses(made, f"{name}/src/lib.rs") for name in "abc"] == [
        {"b": "b/src/lib.rs"},
        {"c": "c/src/lib.rs"},
        {},
    ]


def test_a_crate_that_declares_a_file_of_another_encoding_is_left_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a/Cargo.toml": package("a"),
            "a/src/lib.rs": "pub mod deep;\n",
            "a/src/deep/mod.rs": "mod latin;\n",
            "a/src/unused.rs": "",
            "b/Cargo.toml": package("b", '[dependencies]\na = { path = "../a" }\n'),
            "b/src/lib.rs": "",
            "b/tests/t.rs": "",
        },
    )
    (tmp_path / "a/src/unused.rs").write_bytes(b"// \xff")
    made = model(tmp_path)
    assert len(made.crates) == 3
    assert uses(made, "b/src/lib.rs") == {"a": "a/src/lib.rs"}
    (tmp_path / "a/src/deep/latin.rs").write_bytes(b"// \xff")
    made = model(tmp_path)
    assert [crate.root for crate in made.crates] == ["b/src/lib.rs", "b/tests/t.rs"]
    assert uses(made, "b/src/lib.rs") == {}
    assert uses(made, "b/tests/t.rs") == {"b": "b/src/lib.rs"}
    assert made.skipped == [
        "a/src/deep/latin.rs: it is not UTF-8, so the crate of a/src/lib.rs is not analysed"
    ]


def test_nothing_outside_of_the_repository_is_read(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    write(tmp_path, {"out/Cargo.toml": package("out"), "out/src/lib.rs": ""})
    write(repo, {"Cargo.toml": package("a", '[dependencies]\nout = { path = "../out" }\n')})
    write(repo, {"src/lib.rs": ""})
    (repo / "link").symlink_to(tmp_path / "out")
    (repo / "b").mkdir()
    (repo / "b" / "Cargo.toml").symlink_to(tmp_path / "out" / "Cargo.toml")
    (repo / "tests").mkdir()
    (repo / "tests" / "t.rs").symlink_to(tmp_path / "out" / "src" / "lib.rs")
    made = model(repo)
    assert [crate.root for crate in made.crates] == ["src/lib.rs"]
    assert uses(made, "src/lib.rs") == {}


def test_crates_outside_the_workspace_and_nested_workspaces_are_in_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "Cargo.toml": '[workspace]\nmembers = []\nexclude = ["fuzz"]\n',
            "fuzz/Cargo.toml": package("fuzz", "[workspace]\n"),
            "fuzz/src/main.rs": "",
            "deep/ws/Cargo.toml": '[workspace]\nmembers = ["m"]\npackage.edition = "2024"\n',
            "deep/ws/m/Cargo.toml": '[package]\nname = "m"\nedition.workspace = true\n',
            "deep/ws/m/src/lib.rs": "",
        },
    )
    made = crates(tmp_path)
    assert {root: crate.edition for root, crate in made.items()} == {
        "fuzz/src/main.rs": "2021",
        "deep/ws/m/src/lib.rs": "2024",
    }


def test_files_without_a_manifest_are_crates_unless_another_declares_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "katas/one.rs": "fn main() {}\n",
            "katas/two.rs": "mod helper;\npub(crate) mod r#type ;\n",
            "katas/helper.rs": "mod inner;\n",
            "katas/helper/inner.rs": "",
            "katas/type/mod.rs": "",
            "katas/far.rs": '#[path = "../shared/x.rs"]\nmod y;\n',
            "shared/x.rs": "",
            "loop/a.rs": '#[path = "b.rs"]\nmod b;\n',
            "loop/b.rs": '#[path = "a.rs"]\nmod a;\n#[path = "b.rs"] mod b;\n',
            "crate/Cargo.toml": package("c"),
            "crate/src/lib.rs": "",
            "crate/src/unused.rs": "",
        },
    )
    roots = [crate.root for crate in model(tmp_path).crates]
    assert roots == [
        "crate/src/lib.rs",
        "katas/far.rs",
        "katas/one.rs",
        "katas/two.rs",
        "loop/a.rs",
    ]


def test_too_many_files_without_a_manifest_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsif.dump.project.model._MOST_LOOSE", 2)
    write(tmp_path, dict.fromkeys(("a.rs", "b.rs", "c.rs", "d.rs"), ""))
    made = model(tmp_path)
    assert [crate.root for crate in made.crates] == ["a.rs", "b.rs"]
    assert made.skipped == [
        "c.rs: it and 1 more files have no manifest, and 2 are analysed as crates of their own"
    ]


def test_a_project_file_of_the_repository_names_no_program_and_nothing_outside(
    tmp_path: Path,
) -> None:
    project = {
        "sysroot": "/evil",
        "crates": [
            {"root_module": "/outside/lib.rs", "edition": "2021", "deps": []},
            {
                "root_module": str(tmp_path / "lib" / "a.rs"),
                "display_name": "a",
                "edition": "2018",
                "deps": [{"crate": 0, "name": "outside"}, {"crate": 2, "name": "b"}],
                "cfg": ['feature="x"'],
                "proc_macro_dylib_path": "/evil.so",
                "is_proc_macro": True,
                "env": {"OUT_DIR": "/"},
            },
            {"root_module": "../lib/b.rs", "edition": "2021", "deps": [], "build": {}},
        ],
    }
    write(tmp_path, {"lib/a.rs": "", "lib/b.rs": "", "tool/unrelated.txt": ""})
    (tmp_path / "tool" / "rust-project.json").write_bytes(orjson.dumps(project))
    made = model(tmp_path)
    assert [(crate.root, crate.name, crate.edition) for crate in made.crates] == [
        ("lib/a.rs", "a", "2018"),
        ("lib/b.rs", "b", "2021"),
    ]
    assert uses(made, "lib/a.rs") == {"b": "lib/b.rs"}
    assert 'feature="x"' in made.crates[0].cfgs
    assert b"evil" not in made.to_json("", "")
    assert made.manifests == ["tool/rust-project.json"]


def test_what_rust_analyzer_would_reject_is_not_in_a_model() -> None:
    crate = Crate(
        "a", "a.rs", "2099", "1.02.3", ("x", "a=b", '=""', 'a="'), dependencies={"my-b": 1}
    )
    assert (crate.edition, crate.version, crate.cfgs) == ("2024", "", ("x",))
    assert crate.dependencies == {"my_b": 1}
    assert Crate("a", "a.rs", "2018", "1.0.20", ('f="x=y"',)).to_json(Path("/r"), []) == {
        "display_name": "a",
        "root_module": "/r/a.rs",
        "edition": "2018",
        "version": "1.0.20",
        "deps": [],
        "is_workspace_member": True,
        "source": {"include_dirs": ["/r"], "exclude_dirs": []},
        "cfg": ['f="x=y"'],
        "env": {},
        "is_proc_macro": False,
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"crates": 3}', '{"crates": [3, {}]}'])
def test_a_broken_project_file_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"rust-project.json": text, "a.rs": ""})
    made = model(tmp_path)
    assert [crate.root for crate in made.crates] == ["a.rs"]
    assert all(line.startswith("rust-project.json: it ") for line in made.skipped)


def test_ignored_folders_and_build_output_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"Cargo.toml": package("a"), "src/lib.rs": "", ".gitignore": "/out\n"})
    for folder in ("target/x", "out", ".hidden"):
        write(tmp_path, {f"{folder}/Cargo.toml": package("b"), f"{folder}/src/lib.rs": ""})
    write(tmp_path, {"target/CACHEDIR.TAG": "", "src/bin/target/main.rs": ""})
    walked = model(tmp_path)
    assert [crate.root for crate in walked.crates] == [
        "src/lib.rs", "src/bin/target/main.rs", "out/src/lib.rs",
    ]  # fmt: skip
    assert walked.left_out == ["target"]
    write(tmp_path, {".gitignore": "/out\n/target\n.hidden\n"})
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    listed = make_model(tmp_path, "all", [], [tmp_path / "data", tmp_path, Path("/elsewhere")])
    assert [crate.root for crate in listed.crates] == ["src/lib.rs", "src/bin/target/main.rs"]
    assert sorted(listed.left_out) == [".hidden", "data", "out", "target"]


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        (".", "a/b", "a/b"),
        ("a", "../b", "b"),
        ("a", "..", "."),
        ("a", "../..", None),
        (".", "..", None),
        ("a", "/b", None),
        (None, "b", None),
        ("a", "b\0", None),
        (".", "..a", "..a"),
    ],
)
def test_paths_stay_inside(folder: str | None, path: str, expected: str | None) -> None:
    assert inside(folder, path) == expected
