from __future__ import annotations

import unicodedata

import pytest

from embedding.text import words as text_words
from lsif.identifiers import (
    identifier_at,
    identifiers_in,
    is_same,
    parts_of,
    plain_name,
    spellings,
    without_raw,
)
from lsif.lines import Lines
from storage.sparse import query_vector, stems, text_vector, words

from made_up import made

NAMES = (
    "नमस्ते",  # Devanagari: vowel signs and a virama
    "வணக்கம்",  # Tamil
    "ที่อยู่",  # Thai
    "မြန်မာ",  # Burmese
    "শব্দ",  # Bengali
    "col·lecció",
    "𝒻oo",
    "数据",
    "שָׁלוֹם",
    "می‌خواهم",  # Persian, with a zero-width non-joiner
    "℘unction",
    unicodedata.normalize("NFD", "café"),
    unicodedata.normalize("NFD", "한글"),
    unicodedata.normalize("NFD", "TIẾNG_VIỆT"),
    "r#type",
    "_x\N{COMBINING ACUTE ACCENT}2",
    "\U000323b0",  # of no character yet: a newer Unicode than Python's
)


@pytest.mark.parametrize("name", NAMES)
def test_an_identifier_is_found_as_a_whole(name: str) -> None:
    assert identifier_at(f"fn {name}() -> u8", 3) == name
    assert identifiers_in(f"a({name}: b)") == ["a", without_raw(name), "b"]
    assert Lines(f"pub fn {name}<T>()".encode()).identifier_at(0, 7) == name


@pytest.mark.parametrize("name", NAMES)
def test_every_spelling_is_one_name_for_records_and_queries(name: str) -> None:
    for form in ("NFC", "NFD"):
        spelled = unicodedata.normalize(form, name)
        assert is_same(name, spelled)
        assert spelled in spellings(name)
        assert text_vector(f"fn {name}() {{}}") == text_vector(f"fn {spelled}() {{}}")
        assert query_vector(name) == query_vector(spelled)
        assert stems(spelled) == stems(name)


def test_names_are_compared_as_rustc_does() -> None:
    assert is_same("r#gen", "gen")
    assert is_same("a::r#type::b", "a::type::b")
    assert not is_same("gen", "genr")
    assert not is_same("नमस्ते", "नमस्ता")
    assert not is_same("ﬁ", "fi")  # compatibility forms are other names
    assert plain_name('bar#x r#"raw"#') == 'bar#x r#"raw"#'
    assert spellings("r#type") == ("r#type", "type")
    assert spellings("<A as B>") == ("<A as B>",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("ChaîneLongue_x2", ["chaîne", "longue", "x2", "chaînelonguex2"]),
        ("r#type r#\"raw\"#", ["type", "r", "raw"]),
        ("2x 1_000", ["2", "x", "1", "000"]),
        (unicodedata.normalize("NFD", "Café"), ["café"]),
        ("", []),
    ],
)  # fmt: skip
def test_words_are_split_at_no_mark(text: str, found: list[str]) -> None:
    assert words(text) == found


def test_the_embedded_text_has_whole_words() -> None:
    assert parts_of("HTTPServer_नमस्ते") == ["HTTP", "Server", "नमस्ते"]
    text = text_words(made("प्रश्न_संख्या").structure)
    assert text.startswith("function प्रश्न संख्या. in made up")
    decomposed = text_words(made(unicodedata.normalize("NFD", "CaféOuvert")).structure)
    assert decomposed.startswith("function café ouvert.")
