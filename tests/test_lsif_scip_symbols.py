"""The grammar of SCIP's symbols."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsif.scip.rust_symbols import implemented_trait, rust_path
from lsif.scip.symbols import Descriptor, Suffix, Symbol, parse_symbol

NAMES = st.text(min_size=1, max_size=8).filter(lambda name: "\0" not in name)
DESCRIPTORS = st.builds(
    Descriptor,
    NAMES,
    st.sampled_from([suffix for suffix in Suffix if suffix != Suffix.METHOD]),
    st.just(""),
) | st.builds(
    Descriptor, NAMES, st.just(Suffix.METHOD), st.from_regex(r"(\+[0-9]{1,3})?", fullmatch=True)
)
PARTS = st.text(st.sampled_from("a -./é"), max_size=6).filter(
    lambda part: part != "." and not part.startswith(" ")  # a blank there belongs to what is before
)
SYMBOLS = st.builds(
    Symbol,
    PARTS.filter(lambda scheme: scheme != "" and not scheme.startswith("local")),
    PARTS,
    PARTS,
    PARTS,
    st.lists(DESCRIPTORS, min_size=1, max_size=4).map(tuple),
)


def written(symbol: Symbol) -> str:
    """The symbol as an indexer writes it."""
    parts = [part.replace(" ", "  ") or "." for part in symbol[:4]]
    return " ".join([*parts, "".join(map(written_descriptor, symbol.descriptors))])


def written_descriptor(descriptor: Descriptor) -> str:
    name = descriptor.name
    if not all(sign.isascii() and (sign.isalnum() or sign in "_+-$") for sign in name):
        name = f"`{name.replace('`', '``')}`"
    match descriptor.suffix:
        case Suffix.METHOD:
            return f"{name}({descriptor.disambiguator})."
        case Suffix.TYPE_PARAMETER:
            return f"[{name}]"
        case Suffix.PARAMETER:
            return f"({name})"
        case suffix:
            return f"{name}{suffix.value}"


@given(SYMBOLS)
@settings(max_examples=50, deadline=None)
def test_a_symbol_comes_back_as_it_was_written(symbol: Symbol) -> None:
    assert parse_symbol(written(symbol)) == symbol


@given(st.text(st.sampled_from("a.#`()[]/! :"), max_size=30))
@settings(max_examples=50, deadline=None)
def test_what_is_no_symbol_is_none_and_no_error(text: str) -> None:
    assert parse_symbol(text) is None or isinstance(parse_symbol(text), Symbol)


@pytest.mark.parametrize("text", ["", "local 1", "a b c d", "a b c d ", "a b c d e", " b c d e#"])
def test_what_is_no_symbol(text: str) -> None:
    assert parse_symbol(text) is None


def test_placeholders_are_empty_and_doubled_blanks_are_blanks() -> None:
    symbol = parse_symbol("a  b . my  package . `x y`#")
    assert symbol is not None
    assert symbol[:4] == ("a b", "", "my package", "")
    assert symbol.descriptors == (Descriptor("x y", Suffix.TYPE),)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000_000, "a b c d " + "x#" * 5_000_000, "a" * 60_000, "a b c d " + "`" * 60_001,
        "a b c d " + "impl#[" * 10_000,
    ],
)  # fmt: skip
def test_a_symbol_of_10_mb_takes_no_time(text: str) -> None:
    begin = time.process_time()
    assert parse_symbol(text) is None
    assert implemented_trait(text.encode()) == ""
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("descriptors", "path"),
    [
        ("crate/", ("a_b", "crate")),
        ("m/f().", ("a_b::m", "f")),
        ("m/T#f().", ("a_b::m::T", "f")),
        ("m/impl#[`Tree<K, V>`][`From<X>`]f().", ("a_b::m::Tree", "f")),
        ("impl#[`crate::m::Tree<K>`]f().", ("a_b::Tree", "f")),
        ("m/impl#[`[T]`]f().", ("a_b::m", "f")),
        ("m/impl#[str]f().", ("a_b::m", "f")),
        ("m/impl#[F][Handler]call().", ("a_b::m", "call")),
        ("m/E#V#", ("a_b::m::E", "V")),
        ("m/my_macro!", ("a_b::m", "my_macro")),
    ],
)
def test_the_path_that_rust_analyzers_symbol_has_in_a_hover(
    descriptors: str, path: tuple[str, str]
) -> None:
    symbol = parse_symbol(f"rust-analyzer cargo a-b 0.1.0 {descriptors}")
    assert symbol is not None
    assert rust_path(symbol, None) == path
