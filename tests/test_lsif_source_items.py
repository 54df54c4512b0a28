"""What no dump holds and the sources have: each case with the smallest repository that shows it."""

from __future__ import annotations

import os
import subprocess
import textwrap
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from lsif.blocks import Block
from lsif.build_output import build_output
from lsif.comments import has_generated_head
from lsif.errors import DumpError
from lsif.extract import parse_dump
from lsif.jsonl import read_structures
from lsif.ledger import ParseLedger
from lsif.listing import list_files
from lsif.paths import read_inside
from lsif.reader.graph import Graph
from lsif.rust.module_tree import module_files, survey
from lsif.selection import Selection, read_attributes
from lsif.structure import Structure
from machine.git import git_output
from storage.schema import structure_payload

from conftest import SAMPLE, SAMPLE_DUMP
from made_dump import Dump

MANIFEST = '[package]\nname = "r"\nedition = "2021"\n'


class Repository(Dump):
    """A repository, and a dump that holds some of its items."""

    def write(self, path: str, text: str) -> None:
        """Write a file that the dump does not hold."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))

    def hold(self, path: str, text: str, *names: str, module: str = "r") -> None:
        """Write a file; the dump holds it and the functions of these names, one a line of it."""
        text = textwrap.dedent(text)
        self.source(path, text)
        for name in names:
            (row,) = (row for row, line in enumerate(text.split("\n")) if f"fn {name}(" in line)
            column = text.split("\n")[row].index(f"fn {name}(") + 3
            self.define(path, row, column, len(name), module, f"fn {name}()")

    def structures(self, **settings: Any) -> dict[str, Structure]:
        """Return the structures by symbol; twins by symbol and line."""
        return by_symbol(self.parse(source_items=True, **settings)[1])


def by_symbol(structures: list[Structure]) -> dict[str, Structure]:
    found: dict[str, Structure] = {}
    for one in structures:
        name = one.symbol if one.symbol not in found else f"{one.symbol}:{one.line}"
        found[name] = one
    assert len({one.id for one in structures}) == len(structures)
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.write("Cargo.toml", MANIFEST)
    return made


def test_items_of_another_platform_are_found_with_the_rules_of_the_dump(
    repository: Repository,
) -> None:
    repository.hold(
        "src/lib.rs",
        """\
        pub fn main_part() {}

        /// Opens a pipe.
        #[cfg(windows)]
        pub(crate) fn open_pipe(
            name: &str,
        ) -> u8 {
            1
        }
        #[cfg(windows)]
        impl Pipe { pub fn close(&self) {} }
        """,
        "main_part",
    )
    found = repository.structures()
    assert {symbol: one.origin for symbol, one in found.items()} == {
        "r::main_part": "index",
        "r::open_pipe": "source",
        "r::impl Pipe": "source",
        "r::Pipe::close": "source",
    }
    pipe = found["r::open_pipe"]
    assert (pipe.crate, pipe.module_path, pipe.visibility) == ("r", "r", "pub(crate)")
    assert (pipe.line_from, pipe.line, pipe.line_to, pipe.references) == (3, 5, 9, 0)
    assert pipe.signature == "fn open_pipe( name: &str, ) -> u8"
    assert pipe.docstring == "Opens a pipe."
    assert pipe.context.snippet.startswith("/// Opens a pipe.\n#[cfg(windows)]\npub(crate)")
    assert found["r::Pipe::close"].context.struct_name == "Pipe"


def test_without_the_setting_there_is_what_the_dump_holds(repository: Repository) -> None:
    repository.hold("src/lib.rs", "fn a() {}\nfn b() {}\nimpl T {}\n", "a")
    repository.write("src/gone.rs", "fn c() {}\n")
    ledger, structures = repository.parse()
    assert [one.symbol for one in structures] == ["r::a"]
    assert (ledger.from_source, ledger.source_files, ledger.files_from_source) == (0, 2, 0)


def test_modules_of_files_come_from_their_declarations(repository: Repository) -> None:
    repository.hold(
        "src/lib.rs",
        """\
        #[cfg(feature = "net")]
        pub mod net;
        mod outer { mod inner; #[path = "odd.rs"] mod strange; }
        #[path = "elsewhere/file.rs"]
        mod moved;
        #[path = r#"elsewhere/raw.rs"#]
        mod written;
        #[cfg_attr(windows, path = "win.rs")]
        mod sys;
        fn here() {}
        """,
        "here",
    )
    repository.write("src/net.rs", "//! The network.\nmod tcp;\nfn a() {}\n")
    repository.write("src/net/tcp/mod.rs", "mod stream;\nfn b() {}\n")
    repository.write("src/net/tcp/stream.rs", "fn c() {}\n")
    repository.write("src/outer/inner.rs", "fn d() {}\n")
    repository.write("src/outer/odd.rs", "fn e() {}\n")
    repository.write("src/elsewhere/file.rs", "mod beside;\nfn f() {}\n")
    repository.write("src/elsewhere/beside.rs", "fn g() {}\n")
    repository.write("src/elsewhere/raw.rs", "fn k() {}\n")
    repository.write("src/sys.rs", "fn h() {}\n")
    repository.write("src/win.rs", "fn h() {}\n")
    repository.write("src/lost/file.rs", "fn i() {}\n")
    repository.write("tests/ui/case.rs", "fn j() {}\n")
    found = repository.structures()
    assert {
        symbol: one.context.file_path for symbol, one in found.items() if one.name != "here"
    } == {
        "r::net": "src/net.rs",
        "r::net::a": "src/net.rs",
        "r::net::tcp::b": "src/net/tcp/mod.rs",
        "r::net::tcp::stream::c": "src/net/tcp/stream.rs",
        "r::outer::inner::d": "src/outer/inner.rs",
        "r::outer::strange::e": "src/outer/odd.rs",
        "r::moved::f": "src/elsewhere/file.rs",
        "r::moved::beside::g": "src/elsewhere/beside.rs",
        "r::written::k": "src/elsewhere/raw.rs",
        "r::sys::h": "src/sys.rs",
        "r::sys::h:1": "src/win.rs",
        "r::lost::file::i": "src/lost/file.rs",
        "r::tests::ui::case::j": "tests/ui/case.rs",
    }
    net = found["r::net"]
    assert (net.code_type, net.docstring, net.visibility) == ("Module", "The network.", "pub")
    assert (net.signature, net.module_path, net.line) == ("mod net", "r", 1)


def test_each_target_of_a_package_is_a_crate(tmp_path: Path) -> None:
    files = {
        "src/lib.rs", "src/main.rs", "src/bin/tool.rs", "src/bin/big/main.rs",
        "src/bin/big/part.rs", "examples/show.rs", "tests/all.rs", "tests/it/main.rs",
        "benches/b.rs", "build.rs",
        "member/code/root.rs", "member/tests/odd.rs", "member/tests/other.rs", "broken/src/lib.rs",
    }  # fmt: skip
    for path in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("mod part;\n" if path.endswith("big/main.rs") else "\n")
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "my-app"\nedition = "2021"\n')
    (tmp_path / "member/Cargo.toml").write_text(
        '[package]\nname = "member"\n[lib]\nname = "core-part"\npath = "code/root.rs"\n'
        '[[test]]\nname = "odd-one"\npath = "tests/odd.rs"\n'
    )
    (tmp_path / "broken/Cargo.toml").write_text("[package\n")
    found = module_files(tmp_path, files, survey(tmp_path, sorted(files)).declared)
    assert {path: module.path for path, module in found.items()} == {
        "src/lib.rs": "my_app",
        "src/main.rs": "my_app",
        "src/bin/tool.rs": "tool",
        "src/bin/big/main.rs": "big",
        "src/bin/big/part.rs": "big::part",
        "examples/show.rs": "show",
        "tests/all.rs": "all",
        "tests/it/main.rs": "it",
        "benches/b.rs": "b",
        "build.rs": "build_script_build",
        "member/code/root.rs": "core_part",
        "member/tests/odd.rs": "odd_one",
        # Of the first edition: not a target by itself, since the manifest names another.
        "member/tests/other.rs": "core_part::tests::other",
        "broken/src/lib.rs": "broken",
    }


def test_a_loop_of_paths_ends(repository: Repository) -> None:
    repository.hold("src/lib.rs", '#[path = "a.rs"] mod a;\nfn here() {}\n', "here")
    repository.write(
        "src/a.rs", '#[path = "b.rs"] mod b;\n#[path = "lib.rs"] mod top;\nfn a() {}\n'
    )
    repository.write("src/b.rs", '#[path = "a.rs"] mod a;\n#[path = "b.rs"] mod b;\nfn b() {}\n')
    assert set(repository.structures()) == {"r::here", "r::a::a", "r::a::b::b"}


def test_items_that_are_spelled_in_macro_calls_are_found(repository: Repository) -> None:
    repository.hold(
        "src/lib.rs",
        """\
        fn here() { thread_local! { static KEPT: u8 = 1; } println!("fn no() {{}}") }
        cfg_if! {
            if #[cfg(unix)] {
                #[path = "unix.rs"]
                mod sys;
                /// On Unix.
                pub fn platform() {}
            } else {
                pub fn platform() {}
            }
        }
        mod io {
            cfg_net! {
                /// Docs.
                #[doc(hidden)]
                pub struct Socket { port: u16 }
                impl Socket { fn bind(&self) { inner! { fn deep() {} } } }
                pub mod file;
            }
        }
        macro_rules! made { () => { fn not_an_item() {} }; }
        fn writer() -> Tokens { quote! { fn not_an_item() {} } }
        broken! { fn half( }
        """,
        "here",
    )
    repository.write("src/unix.rs", "fn u() {}\n")
    repository.write("src/io/file.rs", "fn f() {}\n")
    found = repository.structures()
    assert sorted(found) == [
        "r::here",
        "r::here::KEPT",
        "r::io::Socket",
        "r::io::Socket::bind",
        "r::io::Socket::bind::deep",
        "r::io::file::f",
        "r::io::impl Socket",
        "r::made",
        "r::platform",
        "r::platform:9",
        "r::sys::u",
        "r::writer",
    ]
    socket = found["r::io::Socket"]
    assert (socket.line_from, socket.line, socket.line_to) == (14, 16, 16)
    assert (socket.docstring, socket.visibility) == ("Docs.", "pub")


def test_twins_count_whether_the_dump_holds_them_or_not(tmp_path: Path) -> None:
    text = "#[cfg(unix)]\nfn twin() {}\n#[cfg(windows)]\nfn twin() {}\nfn here() {}\n"
    ids = []
    for row in (1, 3):
        made = Repository(tmp_path / str(row))
        made.write("Cargo.toml", MANIFEST)
        made.hold("src/lib.rs", text, "here")
        made.define("src/lib.rs", row, 3, 4, "r", "fn twin()")
        found = made.structures()
        twins = [found["r::twin"], found["r::twin:4"]]
        assert [one.origin for one in twins] == (
            ["index", "source"] if row == 1 else ["source", "index"]
        )
        ids.append([one.id for one in twins])
    assert ids[0] == ids[1]


def test_what_moves_or_comes_from_elsewhere_differs_in_place_only(tmp_path: Path) -> None:
    text = "/// Docs.\nfn wanted() {\n    work();\n}\nfn here() {}\n"
    held, lost = Repository(tmp_path / "a"), Repository(tmp_path / "b")
    for made, names in ((held, ["wanted", "here"]), (lost, ["here"])):
        made.write("Cargo.toml", MANIFEST)
        made.hold("src/lib.rs", text if made is held else f"\n\n{text}", *names)
    before, after = held.structures()["r::wanted"], lost.structures()["r::wanted"]
    assert (before.origin, after.origin) == ("index", "source")
    assert (before.id, before.digest) == (after.id, after.digest)
    assert {
        name
        for name, value in structure_payload(after).items()
        if value != structure_payload(before)[name]
    } == {"line", "line_from", "line_to", "origin", "place"}


def test_the_sample_without_most_of_its_definitions_has_the_same_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = parse_sample(tmp_path)
    definitions = Graph.definitions
    monkeypatch.setattr(
        Graph, "definitions", lambda graph, inside: islice(definitions(graph, inside), 40)
    )
    thin = parse_sample(tmp_path)
    assert {symbol: one.id for symbol, one in whole.items()} == {
        symbol: one.id for symbol, one in thin.items()
    }
    assert sum(one.origin == "source" for one in whole.values()) == 16
    assert sum(one.origin == "source" for one in thin.values()) > 60
    assert {symbol: one.digest for symbol, one in whole.items()} == {
        symbol: one.digest for symbol, one in thin.items()
    }
    assert sum(one.docs_inherited for one in whole.values()) == 4


def parse_sample(folder: Path) -> dict[str, Structure]:
    output = folder / "out.jsonl"
    parse_dump(
        SAMPLE_DUMP, SAMPLE, output,
        project="sample", max_bad_lines=0, max_stale_share=0, source_items=True,
    )  # fmt: skip
    return by_symbol(list(read_structures(output)))


def test_what_a_macro_makes_in_an_impl_is_a_member_of_its_type(repository: Repository) -> None:
    text = "struct A;\nimpl Read for A {\n    made!(get);\n}\nmade!(put);\n"
    repository.source("src/lib.rs", text)
    repository.define("src/lib.rs", 2, 10, 3, "r::A", "fn get()")
    repository.define("src/lib.rs", 4, 6, 3, "r::A", "fn put()")
    found = repository.structures()
    member, other = found["r::<A as Read>::get"], found["r::A::put"]
    assert (member.context.struct_name, member.trait_name) == ("A", "Read")
    assert (member.visibility, other.visibility) == ("inherited", "private")
    assert (other.context.struct_name, other.trait_name) == ("A", None)


def test_impl_blocks_are_structures_without_their_members(repository: Repository) -> None:
    repository.hold(
        "src/lib.rs",
        """\
        fn here() {}
        /// Writes maps.
        #[cfg(feature = "std")]
        unsafe impl<K, V: ?Sized> ser::Serialize<u8> for std::HashMap<K, V>
        where
            K: Eq, // keys
        {
            //! More.
            fn serialize(&self) {}
        }
        impl<T> Stack<T> { fn push(&self) {} }
        impl Stack<u8> {
        }
        impl Stack<u8> {}
        #[cfg(test)]
        mod tests { fn helper() { impl !Send for &'static [u8] {} } }
        """,
        "here",
    )
    found = {
        symbol: one for symbol, one in repository.structures().items() if one.code_type == "Impl"
    }
    assert list(found) == [
        "r::<std::HashMap<K, V> as ser::Serialize<u8>>",
        "r::impl Stack<T>",
        "r::impl Stack<u8>",
        "r::impl Stack<u8>:14",
        "r::tests::helper::<&'static [u8] as Send>",
    ]
    maps = found["r::<std::HashMap<K, V> as ser::Serialize<u8>>"]
    assert maps.name == "Serialize for HashMap"
    assert maps.signature == (
        "unsafe impl<K, V: ?Sized> ser::Serialize<u8> for std::HashMap<K, V> where K: Eq"
    )
    assert (maps.context.struct_name, maps.trait_name) == ("HashMap", "Serialize")
    assert (maps.docstring, maps.visibility) == ("Writes maps.\nMore.", "")
    assert (maps.line_from, maps.line, maps.line_to) == (2, 4, 8)
    assert "fn serialize" not in maps.context.snippet
    stack = found["r::impl Stack<T>"]
    assert (stack.name, stack.trait_name, stack.line_to) == ("Stack", None, 11)
    assert [one.is_test for one in found.values()] == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("head", "generated"),
    [
        ("// This file is @generated by prost-build.\n", True),
        ("/* automatically generated by rust-bindgen 0.69.4 */\n", True),
        ("#![allow(x)]\n// Code generated by protoc. DO NOT EDIT.\n", True),
        ("/*\n Copyright\n Do not edit: made by a script\n*/\n", True),
        ("//! Generated client implementations, do not modify.\n", True),
        ("\ufeff// @generated\n", True),
        ("// Finds files that are generated by others.\n", False),
        ("fn f() {}\n// @generated\n", False),
        ('const MARK: &str = "@generated";\n', False),
    ],
)
def test_the_head_of_a_file_says_that_a_program_wrote_it(head: str, generated: bool) -> None:
    assert has_generated_head(head.encode()) is generated


def test_generated_code_is_marked_by_its_head_and_by_attributes(repository: Repository) -> None:
    repository.hold("src/lib.rs", "mod pb;\nmod api;\nfn here() {}\n", "here")
    repository.write(
        "src/pb.rs", "// @generated by prost\nfn a() {\n    for x in y {\n        z()\n    }\n}\n"
    )
    repository.write("src/api.rs", "fn b() {}\n")
    repository.write("src/.gitattributes", "# ours\n/api.rs text linguist-generated=true\n")
    found = repository.structures(blocks=repository.folder / "b.jsonl", blocks_longer_than=1)
    assert {one.name: one.generated for one in found.values()} == {
        "here": False, "a": True, "b": True,
    }  # fmt: skip
    (line,) = (repository.folder / "b.jsonl").read_bytes().splitlines()
    block = Block.from_dict(orjson.loads(line))
    assert (block.generated, block.origin) == (True, "source")


def test_what_prost_and_tonic_wrote_is_told_without_a_head(repository: Repository) -> None:
    repository.hold("src/lib.rs", "mod a;\nmod b;\nmod c;\nfn here() {}\n", "here")
    repository.write("src/a.rs", "#[derive(Clone, PartialEq, ::prost::Message)]\nstruct A {}\n")
    repository.write("src/b.rs", "/// Generated client implementations.\npub mod b_client {}\n")
    repository.write("src/c.rs", "#[derive(Clone, prost::Message)]\nstruct C {}\n")
    found = repository.structures()
    assert {one.name: one.generated for one in found.values()} == {
        "here": False, "A": True, "b_client": True, "C": False,
    }  # fmt: skip


def test_files_that_settings_or_attributes_leave_out_are_counted(repository: Repository) -> None:
    repository.hold("src/lib.rs", "fn here() {}\n", "here")
    repository.hold("src/old/a.rs", "fn a() {}\n", "a", module="r::old::a")
    repository.write("src/old/kept.rs", "fn kept() {}\n")
    repository.write("third_party/x/src/lib.rs", "fn x() {}\n")
    repository.write("third_party/x/src/ours.rs", "fn ours() {}\n")
    repository.write(".gitattributes", "third_party/** linguist-vendored\n*.rs eol=lf\n")
    repository.write("third_party/x/.gitattributes", "src/ours.rs -linguist-vendored\n")
    ledger, structures = repository.parse(
        source_items=True, exclude=["/src/old/"], include=["kept.rs"]
    )
    assert sorted(one.name for one in structures) == ["here", "kept", "ours"]
    assert (ledger.files_excluded, ledger.skipped) == (2, {"excluded": 1})
    assert (ledger.source_files, ledger.files_from_index, ledger.files_from_source) == (5, 1, 2)
    old = ledger.folders["src"]
    assert (old.files, old.files_excluded, old.from_index, old.from_source) == (3, 1, 1, 1)


def test_a_crate_of_another_platform_is_found_whole(repository: Repository) -> None:
    repository.hold("src/lib.rs", "#![cfg(windows)]\n/// Starts.\npub fn start() {}\n")
    ledger, structures = repository.parse(source_items=True)
    assert [(one.symbol, one.origin) for one in structures] == [("r::start", "source")]
    assert (ledger.definitions, ledger.files_from_index) == (0, 1)
    with pytest.raises(DumpError, match="holds no definition"):
        repository.parse()


def test_a_run_that_leaves_all_files_out_says_so(repository: Repository) -> None:
    repository.hold("src/lib.rs", "fn here() {}\n", "here")
    with pytest.raises(DumpError, match=r"parse\.exclude.* leaves out\. parse\.include brings"):
        repository.parse(source_items=True, exclude=["*"])


def test_globs_are_those_of_gitignore() -> None:
    only = Selection(["/*", "!/crates/"])
    assert not only.leaves_out("crates/a/src/lib.rs")
    assert only.leaves_out("xtask/src/main.rs")
    assert Selection(["gen"]).leaves_out("a/gen/b.rs")
    assert not Selection(["/gen"]).leaves_out("a/gen/b.rs")
    assert Selection(["**/pb/*.rs"], ["/a/pb/"]).leaves_out("b/pb/x.rs")


@pytest.mark.parametrize("pattern", ["\\", "*\\", r"[\--]", "!a.rs", "[[a]"])
def test_an_odd_pattern_of_an_attributes_file_is_passed_over(pattern: str) -> None:
    lines = f"{pattern} linguist-vendored\nb.rs linguist-vendored\n"
    selection = Selection((), (), [(".gitattributes", lines)])
    assert [path for path in ("a.rs", "b.rs") if selection.leaves_out(path)] == ["b.rs"]


def test_nothing_is_read_through_a_folder_that_leads_out_of_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path.resolve() / "root", tmp_path / "outside"
    for folder in (root, outside):
        folder.mkdir()
    (outside / "a.rs").write_text("fn secret() {}\n")
    (outside / "attributes").write_text("* linguist-vendored\n")
    (root / "src").symlink_to(outside)
    (root / ".gitattributes").symlink_to(outside / "attributes")
    with pytest.raises(OSError, match="a link to a file outside the root"):
        read_inside(root, "src/a.rs")
    assert read_attributes(root, [".gitattributes"]) == []


def test_unreadable_files_are_counted_and_named(repository: Repository, tmp_path: Path) -> None:
    repository.hold("src/lib.rs", "mod latin;\nmod pipe;\nfn here() {}\n", "here")
    (repository.root / "src/latin.rs").write_bytes(b"fn caf\xe9() {}\n")
    (tmp_path / "outside.rs").write_text("fn secret() {}\n")
    (repository.root / "src/link.rs").symlink_to(tmp_path / "outside.rs")
    os.mkfifo(repository.root / "src/pipe.rs")
    ledger, structures = repository.parse(source_items=True)
    assert [one.name for one in structures] == ["here"]
    assert ledger.files_unread == {"not_utf8": 1, "not_regular": 2}
    assert [line.partition(":")[0] for line in ledger.first_unread] == [
        "src/latin.rs", "src/link.rs", "src/pipe.rs",
    ]  # fmt: skip
    assert ledger.folders["src"].files_unread == 3
    assert adds_up(ledger)


def adds_up(ledger: ParseLedger) -> bool:
    """Return whether each Rust file is in one count."""
    counts = ledger.files_from_index + ledger.files_from_source + ledger.files_excluded
    folders = ledger.folders.values()
    return (
        ledger.source_files
        == counts + sum(ledger.files_unread.values())
        == sum(folder.files for folder in folders)
        and ledger.from_source == sum(folder.from_source for folder in folders)
        and ledger.structures == sum(one.from_index + one.from_source for one in folders)
    )


def test_the_files_are_those_that_git_tracks(tmp_path: Path) -> None:
    for path in ("a.rs", "sub/b.rs", "target/c.rs", "new.rs", ".gitattributes", "x.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / "target/CACHEDIR.TAG").write_text("")
    for folder in (".hidden", "node_modules"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "d.rs").write_text("")
    assert list_files(tmp_path).rust == ["a.rs", "new.rs", "sub/b.rs"]
    for command in (("init", "-q"), ("add", "a.rs", "sub", ".gitattributes")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, capture_output=True)
    assert list_files(tmp_path) == (["a.rs", "sub/b.rs"], [".gitattributes"], 0)
    assert list_files(tmp_path / "sub").rust == ["b.rs"]
    assert list_files(tmp_path / "target").rust == ["c.rs"]  # who names the folder wants it


OUTPUT = "target/debug/build/r-0123456789abcdef/out/made.rs"


def test_what_a_build_wrote_under_the_root_is_no_source(repository: Repository) -> None:
    repository.hold("src/lib.rs", "pub fn own() {}\n", "own")
    for path in (
        OUTPUT,
        "target/x86_64-unknown-linux-gnu/release/build/r/out/made.rs",
        "elsewhere/debug/build/r-0123456789abcdef/out/deep/made.rs",
        "elsewhere/debug/build/r/0123456789abcdef/out/made.rs",
        "tagged/debug/made.rs",
    ):
        repository.hold(path, "pub fn made() {}\n", "made")
    repository.write("tagged/CACHEDIR.TAG", "")
    # Neither is in such a folder: Cargo's has more levels, and a root is wanted wherever it is.
    repository.hold("src/build/out/kept.rs", "pub fn kept() {}\n", "kept")
    repository.write("CACHEDIR.TAG", "")
    ledger, structures = repository.parse()
    assert {structure.name for structure in structures} == {"own", "kept"}
    assert ledger.skipped == {"build_output": 5}
    assert ledger.source_files == 2


def test_of_files_that_no_dump_holds_those_of_build_scripts_are_left_out(
    repository: Repository,
) -> None:
    repository.hold("src/lib.rs", "pub fn own() {}\n", "own")
    repository.write(OUTPUT, "pub fn made() {}\n")
    assert set(repository.structures()) == {"r::own"}


def test_what_git_ignores_is_no_source_unless_it_is_tracked_or_included(
    repository: Repository,
) -> None:
    for path in ("src/lib.rs", "made/a.rs", "made/déjà vu.rs", "made/forced.rs", "new.rs"):
        repository.hold(path, "pub fn f() {}\n", "f")
    repository.write(".gitignore", "/made\n")
    for command in (("init", "-q"), ("add", "src", ".gitignore"), ("add", "-f", "made/forced.rs")):
        subprocess.run(["git", *command], cwd=repository.root, check=True, capture_output=True)
    ledger, structures = repository.parse()
    paths = {structure.context.file_path for structure in structures}
    assert paths == {"src/lib.rs", "made/forced.rs", "new.rs"}
    assert ledger.skipped == {"build_output": 2}
    ledger, structures = repository.parse(include=["made/a.rs"])
    assert "made/a.rs" in {structure.context.file_path for structure in structures}
    assert ledger.skipped == {"build_output": 1}


def test_a_root_that_git_ignores_is_wanted_as_a_whole(repository: Repository) -> None:
    repository.hold("src/lib.rs", "pub fn f() {}\n", "f")
    (repository.folder / ".gitignore").write_text("*\n")
    subprocess.run(["git", "init", "-q"], cwd=repository.folder, check=True)
    assert [structure.name for structure in repository.parse()[1]] == ["f"]


def test_the_files_of_submodules_are_listed_and_no_program_of_the_configuration_runs(
    tmp_path: Path,
) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    for folder in (inner, outer):
        folder.mkdir()
        (folder / "a.rs").write_text("")
    ran = tmp_path / "ran"
    for folder, command in (
        (inner, ("init", "-q")),
        (inner, ("add", ".")),
        (inner, ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")),
        (outer, ("init", "-q")),
        (outer, ("add", ".")),
        (outer, ("-c", "protocol.file.allow=always", "submodule", "-q", "add", str(inner), "sub")),
        (outer, ("config", "core.fsmonitor", f"touch {ran}; echo")),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    assert list_files(outer).rust == ["a.rs", "sub/a.rs"]
    assert git_output(outer, "status", "--porcelain")
    assert not ran.exists()


def test_a_dump_of_another_language_brings_no_rust_with_it(repository: Repository) -> None:
    repository.source("a.ts", "function f() {}\n")
    repository.define("a.ts", 0, 9, 1, "r", "function f(): void")
    for element in repository.elements:
        element.update({"languageId": "typescript"} if element["label"] == "document" else {})
    repository.elements[0]["toolInfo"]["name"] = "lsif-tsc"
    repository.write("src/lib.rs", "fn here() {}\n")
    ledger, structures = repository.parse(source_items=True)
    assert (len(structures), ledger.source_files, ledger.from_source) == (1, 0, 0)


def test_items_of_many_macro_calls_and_modules_are_all_found(repository: Repository) -> None:
    count = 1000
    calls = "".join(
        f"m{n}! {{ fn f{n}() {{}} }}\nmod m{n} {{ fn g() {{}} }}\n" for n in range(count)
    )
    repository.hold("src/lib.rs", f"fn here() {{}}\n{calls}", "here")
    assert len(repository.structures()) == 2 * count + 1


def test_broken_sources_give_no_item_without_a_name(repository: Repository) -> None:
    repository.hold(
        "src/lib.rs", "fn here() {}\nimpl AsRef<u8> for \nfn (x) {}\nfn fine() {}\nstruct\n", "here"
    )
    found = repository.structures()
    assert {"r::here", "r::fine"} <= set(found)
    assert all(one.name.strip() for one in found.values())


def test_git_is_asked_about_ignored_files_in_spite_of_submodules_and_links(tmp_path: Path) -> None:
    """It refuses a call with a path in one, and knows no ignored file of it."""
    for folder in (tmp_path, tmp_path / "part"):
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("made.rs\n")
        (folder / "kept.rs").touch()
        for command in (("init", "-q"), ("add", "kept.rs"), ("commit", "-q", "-m", "x")):
            who = ("-c", "user.name=a", "-c", "user.email=a@b")
            subprocess.run(["git", *who, *command], cwd=folder, check=True)
    subprocess.run(["git", "add", "part"], cwd=tmp_path, check=True, stderr=subprocess.DEVNULL)
    (tmp_path / "link").symlink_to("part")
    paths = ["made.rs", "new.rs", "part/made.rs", "part/new.rs", "link/made.rs"]
    assert build_output(tmp_path, paths) == {"made.rs", "part/made.rs"}


def test_a_path_may_have_any_number_of_folders(tmp_path: Path) -> None:
    assert build_output(tmp_path, ["a/" * 1500 + "x.rs"]) == frozenset()
