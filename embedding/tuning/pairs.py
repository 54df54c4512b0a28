"""Pairs of a question and the item that answers it, from the records of one project.

A question is what people wrote about an item: a paragraph of its documentation, its name as words,
a comment in its body, the subject of a commit that changed it, a query that it was judged to
answer. The item is shown as an index shows it, by either recipe, but without what the question was
taken from: a model that finds the same words again has learned nothing. Or a question is code as
people remember it: a few lines of a body, or a signature, with other names.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from embedding.text import passage, words
from embedding.text import without_docs as source_without_docs
from embedding.tuning.asking import as_asked
from embedding.tuning.fragments import fragment_of

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from embedding.tuning.kinds import Kind
    from lsif.structure import Structure

Questions: TypeAlias = "Mapping[Kind, Mapping[str, Sequence[str]]]"
"""Further questions about a project, by kind and the id of the structure that answers them."""


class Pair(NamedTuple):
    """A question and its item."""

    question: str
    text: str
    """The item as words, as the recipe for `text` vectors renders it."""
    code: str
    """The item's source."""
    passage: str
    """The item as a reranker reads it."""
    kind: Kind
    item: str
    """Id of the structure."""
    hidden: bool
    """Whether the item's name is hidden."""
    documented: bool
    """Whether the item is shown with documentation."""


class _Asked(NamedTuple):
    """A question, and what is left of its item without what the question was taken from."""

    question: str
    kind: Kind
    item: Structure


_KINDS = frozenset(
    {"Function", "Struct", "Enum", "Union", "Trait", "TypeAlias", "Const", "Static", "Macro"}
)
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?")
_MARKS = re.compile(r"[`*]|^#+ ", re.MULTILINE)
_POINTER = re.compile(r"(?i)^(?:see|same as|refer to|like|ditto|todo|fixme|deprecated|hack)\b")
_COMMENT = re.compile(r"(?:^[^\S\n]*//(?![/!])[^\n]*\n)+", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z][a-z]+|[A-Z]+(?![a-z])")
_FEWEST_WORDS, _MOST_WORDS = 4, 60
"""Of a question."""
_FEWEST_NEW_WORDS = 3
"""Of a question, that are not in the item's name."""
_FEWEST_OF_NAME = 2
_LINES_OF_BODY, _LINES_OF_NAMED = 2, 5
"""Fewest lines of a function, and of an item whose name is asked for."""
MOST_CHARACTERS = 2000
"""Of an item; a model reads the beginning."""
MOST_READ = 1200
"""Characters of an item that a reranker reads: it has less room, beside the question."""
_OF_NAMES = 0.4
"""Share of the items whose name is asked for: more than these would outnumber the documentation."""
_ENGLISH = 0.97
"""Least share of ASCII in a question."""
_HIDDEN_NAME = "it"


def pairs_of(
    structures: Iterable[Structure],
    rng: random.Random,
    *,
    questions: Questions | None = None,
    hidden: float = 0.3,
    left_out: Counter[str] | None = None,
) -> Iterator[Pair]:
    """Yield the pairs of one project.

    `questions` are asked as well. In the share `hidden` of pairs (0 to 1) the item's name is
    hidden, and in those whose question is the name. Documentation from which no question is made is
    counted in `left_out` by reason; tests, generated code, modules and impl blocks are no items.
    """
    items = items_of(structures)
    reasons = Counter[str]() if left_out is None else left_out
    asker = _Asker(items, questions or {}, rng, reasons)
    for structure in items:
        for asked in asker.asked_of(structure):
            yield _pair(asked, hide=asked.kind == "name" or rng.random() < hidden)


def items_of(structures: Iterable[Structure]) -> list[Structure]:
    """Return the structures that people ask for: no tests, generated code, modules, impl blocks."""
    return [
        structure
        for structure in structures
        if structure.code_type in _KINDS and not structure.is_test and not structure.generated
    ]


def _pair(asked: _Asked, *, hide: bool) -> Pair:
    shown = without_name(asked.item) if hide else asked.item
    return Pair(
        asked.question,
        words(shown)[:MOST_CHARACTERS],
        shown.context.snippet[:MOST_CHARACTERS],
        passage(shown)[:MOST_READ],
        asked.kind,
        shown.id,
        hide,
        shown.docstring is not None,
    )


def shown_like(pair: Pair, other: Structure) -> str:
    """Return another structure as a reranker reads it, shown as the item of the pair is.

    Without its name if that is hidden, and without documentation if the item has none: else a
    model learns that answers are those without.
    """
    docs = other.docstring if pair.documented else None
    if docs and pair.kind == "more docs":
        docs = _paragraphs(docs)[0]
    shown = replace(other, docstring=docs, digest="")
    return passage(without_name(shown) if pair.hidden else shown)[:MOST_READ]


class _Asker:
    """Asks for the items of one project; counts the documentation that it can't make use of."""

    def __init__(
        self,
        items: Iterable[Structure],
        questions: Questions,
        rng: random.Random,
        left_out: Counter[str],
    ) -> None:
        self._questions, self._rng, self._left_out = questions, rng, left_out
        self._firsts = Counter(_paragraphs(item.docstring or "")[0] for item in items)

    def asked_of(self, structure: Structure) -> Iterator[_Asked]:
        """Yield what is asked for the structure: at most one question of each kind, and others."""
        bare, name = without_docs(structure), _WORD.findall(structure.name)
        lines = bare.context.snippet.count("\n")
        if structure.code_type == "Function" and lines < _LINES_OF_BODY:
            self._left_out["function without a body"] += 1
            return
        yield from self._by_docs(structure, bare)
        telling = len(name) >= _FEWEST_OF_NAME and lines >= _LINES_OF_NAMED
        if telling and self._rng.random() < _OF_NAMES:
            item = self._rng.choice((bare, structure))
            yield _Asked(" ".join(name).lower(), "name", item)
        if structure.code_type == "Function":
            yield from self._by_comment(structure, bare)
            if fragment := fragment_of(bare, self._rng):
                yield _Asked(fragment, "code", self._rng.choice((bare, structure)))
        for kind, questions in self._questions.items():
            for question in questions.get(structure.id, ()):
                yield _Asked(question, kind, self._rng.choice((bare, structure)))

    def _by_docs(self, structure: Structure, bare: Structure) -> Iterator[_Asked]:
        """Yield the first paragraph for the bare item, one more for the item with the first."""
        if not structure.docstring:
            return
        if structure.docs_inherited:
            self._left_out["docs of a trait's member"] += 1
            return
        first, *rest = _paragraphs(structure.docstring)
        repeated = "docs of several items" if self._firsts[first] > 1 else ""
        if why_not := repeated or _why_no_question(first, structure.name):
            self._left_out[why_not] += 1
        else:
            yield _Asked(as_asked(first, self._rng), "docs", bare)
        if more := [text for text in rest if not _why_no_question(text, structure.name)]:
            told = replace(bare, docstring=first, digest="")
            yield _Asked(as_asked(self._rng.choice(more), self._rng), "more docs", told)

    def _by_comment(self, structure: Structure, bare: Structure) -> Iterator[_Asked]:
        """Yield one of the comments in a function's body, for the function without it."""
        code = bare.context.snippet
        found = [match for match in _COMMENT.finditer(code) if not _why_no_question(_told(match))]
        if found:
            match = self._rng.choice(found)
            context = replace(bare.context, snippet=code[: match.start()] + code[match.end() :])
            docs = self._rng.choice((None, structure.docstring))
            item = replace(bare, context=context, docstring=docs, digest="")
            yield _Asked(_told(match), "comment", item)


def without_docs(structure: Structure) -> Structure:
    """Return the structure without its documentation, also in its snippet."""
    snippet = source_without_docs(structure.context.snippet)
    context = replace(structure.context, snippet=snippet)
    return replace(structure, docstring=None, context=context, digest="")


def without_name(structure: Structure) -> Structure:
    """Return the structure with another name, wherever its own stands."""
    pattern = re.compile(rf"\b{re.escape(structure.name)}\b")

    def hide(text: str) -> str:
        return pattern.sub(_HIDDEN_NAME, text)

    return replace(
        structure,
        name=_HIDDEN_NAME,
        symbol=hide(structure.symbol),
        docstring=None if structure.docstring is None else hide(structure.docstring),
        signature=hide(structure.signature),
        context=replace(structure.context, snippet=hide(structure.context.snippet)),
        digest="",
    )


def _paragraphs(docs: str) -> list[str]:
    """Return the paragraphs of Markdown in one line each, without code and marks; at least one."""
    plain = _MARKS.sub("", _LINK.sub(r"\1", _FENCED.sub(" ", docs)))
    found = [" ".join(part.split()) for part in plain.strip().split("\n\n")]
    return [part for part in found if part] or [""]


def _told(match: re.Match[str]) -> str:
    """Return the words of a comment in one line."""
    return " ".join(line.strip().lstrip("/").strip() for line in match[0].splitlines()).strip()


def _why_no_question(text: str, name: str = "") -> str:
    """Return why the text is no question for the item of this name, "" if it is one."""
    found, of_name = ({word.lower() for word in _WORD.findall(part)} for part in (text, name))
    if not _FEWEST_WORDS <= len(text.split()) <= _MOST_WORDS:
        return "docs too short or too long"
    if _POINTER.match(text):
        return "docs that point elsewhere"
    if sum(map(str.isascii, text)) < _ENGLISH * len(text):
        return "docs not in English"
    if text.endswith((";", "{", "}")):
        return "code in place of words"
    return "" if len(found - of_name) >= _FEWEST_NEW_WORDS else "docs that only say the name"
