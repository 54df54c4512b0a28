"""Members of impls have the docs of the trait that the sources say they implement."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsif.rust.module_tree import module_files, survey
from lsif.rust.modules import ModuleFile
from lsif.rust.traits import TraitDocs, file_traits

MANIFEST = '[package]\nname = "{}"\nedition = "2021"\n'
SINK = "pub trait Sink {{\n    /// {}\n    fn put(&self);\n}}\n"


def docs_of(root: Path, files: dict[str, str], path: str = "src/lib.rs") -> dict[str, str]:
    """Return what `put` inherits in the file, by trait."""
    files = {"Cargo.toml": MANIFEST.format("r"), **files}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    sources = sorted(name for name in files if name.endswith(".rs"))
    found = survey(root, sources)
    docs = TraitDocs(found.traits, module_files(root, set(sources), found.declared)).of(path)
    return {name: members["put"] for name, members in docs.items()}


@pytest.mark.parametrize(
    "header",
    [
        "impl Sink for A {",
        "impl<T: Into<u8>> Sink<Item<T>, fn() -> T> for A<T> {",
        "unsafe impl<'a, const N: usize>\n    Sink\nfor &'a [u8; N] {",
        "impl r::Sink for A {",
        "impl crate :: Sink for A {",
        "made! {\n    impl Sink for A { fn put(&self) {} } }\nimpl B {",
    ],
)
def test_a_trait_of_the_same_file(tmp_path: Path, header: str) -> None:
    text = SINK.format("Puts.") + header + "\n    fn put(&self) {}\n}\n"
    assert docs_of(tmp_path, {"src/lib.rs": text}) == {"Sink": "Puts."}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use crate::one::Sink;\nimpl Sink for A {}", "One."),
        ("use crate::{one::{self, Other}, two::Sink};\nimpl Sink for A {}", "Two."),
        ("use crate::two;\nimpl two::Sink<u8> for A {}", "Two."),
        ("impl crate::one::Sink for A {}", "One."),
        ("use super::two::*;\nimpl Sink for A {}", None),  # either may be meant
        ("use std::io::Sink;\nimpl Sink for A {}", None),
        ("use std::{fmt, one};\nimpl one::Sink for A {}", None),
        ("use futures::Sink;\nimpl Sink for A {}", None),
        ("impl core::one::Sink for A {}", None),
        ("use futures::one::Sink;\nimpl Sink for A {}", None),  # a dependency's module
        ("use futures::one;\nimpl one::Sink for A {}", None),
        ("impl one::Sink for A {}\nimpl two::Sink for A {}", None),  # one name, two traits
        ("/// Like impl Sink for A.\nfn f() {}", None),
        ("impl A { fn put(&self) {} }", None),
    ],
)
def test_a_trait_is_the_one_that_the_path_names(
    tmp_path: Path, text: str, expected: str | None
) -> None:
    files = {
        "src/lib.rs": "mod one;\nmod two;\nmod user;\n",
        "src/one.rs": SINK.format("One."),
        "src/two.rs": "// A trait of ours.\n" + SINK.format("Two."),
        "src/user.rs": f"{text}\n",
    }
    found = docs_of(tmp_path, files, "src/user.rs")
    assert found == ({} if expected is None else {"Sink": expected})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("impl std::fmt::Sink for A {}", None),
        ("impl ::futures::Sink for A {}", None),
        ("impl self::Sink for A {}", "Own."),
        ("impl Sink<[u8; 4], [T; 2]> for A {}", "Own."),
        ("mod m {\n    pub trait Sink { fn put(&self); }\n}\nimpl m::Sink for A {}", None),
    ],
)
def test_a_trait_that_has_the_name_of_one_in_the_same_file(
    tmp_path: Path, text: str, expected: str | None
) -> None:
    found = docs_of(tmp_path, {"src/lib.rs": f"{SINK.format('Own.')}{text}\n"})
    assert found == ({} if expected is None else {"Sink": expected})


def test_a_trait_in_a_module_of_the_same_file(tmp_path: Path) -> None:
    text = f"pub mod inner {{\n{SINK.format('Own.')}}}\nimpl inner::Sink for A {{}}\n"
    assert docs_of(tmp_path, {"src/lib.rs": text}) == {"Sink": "Own."}


def test_a_trait_of_another_crate_of_the_repository(tmp_path: Path) -> None:
    files = {
        "Cargo.toml": '[workspace]\nmembers = ["a", "b"]\n',
        "a/Cargo.toml": MANIFEST.format("my-sinks"),
        "a/src/lib.rs": SINK.format("Puts."),
        "b/Cargo.toml": MANIFEST.format("b"),
        "b/src/lib.rs": "use my_sinks::{Sink as Out, Sink};\nimpl Sink for A {}\n",
        "b/src/main.rs": "impl my_sinks::Sink for A {}\n",
    }
    assert docs_of(tmp_path, files, "b/src/lib.rs") == {"Sink": "Puts."}
    assert docs_of(tmp_path, files, "b/src/main.rs") == {"Sink": "Puts."}


def test_names_of_the_prelude_are_the_standard_librarys_unless_they_are_imported(
    tmp_path: Path,
) -> None:
    files = {
        "src/lib.rs": "mod own;\nmod used;\nimpl Iterator for A {}\n",
        "src/own.rs": SINK.format("Ours.").replace("Sink", "Iterator"),
        "src/used.rs": "use crate::own::Iterator;\nimpl Iterator for A {}\n",
    }
    assert docs_of(tmp_path, files, "src/lib.rs") == {}
    assert docs_of(tmp_path, files, "src/used.rs") == {"Iterator": "Ours."}
    assert docs_of(tmp_path, files, "src/own.rs") == {}


def test_the_nearest_of_several_traits_is_meant(tmp_path: Path) -> None:
    files = {
        "src/lib.rs": "mod near;\nmod far;\n",
        "src/near/mod.rs": "mod sink;\nmod user;\n",
        "src/near/sink.rs": SINK.format("Near."),
        "src/near/user.rs": "use super::*;\nimpl Sink for A {}\n",
        "src/far/mod.rs": "mod sink;\n",
        "src/far/sink.rs": SINK.format("Far."),
    }
    assert docs_of(tmp_path, files, "src/near/user.rs") == {"Sink": "Near."}


@pytest.mark.parametrize(
    "part", ["\nimpl<", "\nimpl ", "\nimpl [", "\nuse a ", "\ntrait T ", " for ", ">", "\nimpl A<"]
)
def test_any_text_is_searched_in_linear_time(part: str) -> None:
    """A quadratic search would take hours."""
    traits = file_traits(f"impl<F: for<'a> Fn(&'a u8)> Sink for F {{}}{part * 200_000} for ", [])
    assert traits is not None
    assert "Sink" in traits.implemented


def test_a_word_without_end_is_searched_in_linear_time() -> None:
    assert file_traits(f"impl Sink for A {{}}\nimpl {'a' * 300_000}- for A {{}}\n", []) is not None


def test_many_traits_of_one_name_take_little_time() -> None:
    """A search for the highest rank once for each of them would take minutes."""
    traits = file_traits("trait Sink {}\n", [])
    user = file_traits("use super::*;\nimpl Sink for A {}\n", [])
    assert traits is not None
    assert user is not None
    files = {"src/user.rs": user} | {f"src/m{number}.rs": traits for number in range(5000)}
    modules = dict.fromkeys(files, ModuleFile("r", None))
    assert TraitDocs(files, modules).of("src/user.rs") == {}
