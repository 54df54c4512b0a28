"""What a query asks for, told by its form alone: no index, no model.

A name asks for its definition, a message for the code that prints it. "Who calls f", "what
implements T" and "tests of f" ask for what has a relation to a name. All else is code or words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from lsif.identifiers import parts_of, plain_name, spellings
from search.symbols import path_of

QueryKind: TypeAlias = Literal[
    "identifier", "callers", "implementations", "tests", "literal", "code", "words"
]
QUERY_KINDS: tuple[QueryKind, ...] = get_args(QueryKind)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query asks for."""

    kind: QueryKind
    path: tuple[str, ...] = ()
    """The segments of the name in the query; empty for `literal`, `code` and `words`."""
    code_type: str = ""
    """What it is a name of, if the query says so: `struct Foo`."""
    literal: str = ""
    """The text without its quotes; of kind `literal` only."""

    @property
    def name(self) -> str:
        """The last segment of the path; empty if there is none."""
        return self.path[-1] if self.path else ""


def asked_by(query: str) -> Asked:
    """Return what the query asks for, as far as words alone can answer it: never tests.

    >>> asked_by("Cache::insert").path
    ('Cache', 'insert')
    >>> asked_by("struct cache_entry").code_type
    'Struct'
    >>> asked_by("who calls `Cache::insert`?")
    Asked(kind='callers', path=('Cache', 'insert'), code_type='', literal='')
    >>> asked_by("can't open foo.txt: permission denied").kind
    'literal'
    >>> asked_by("let entry = map.get(&key)?;").kind
    'code'
    >>> asked_by("where do we evict old entries").kind
    'words'
    """
    text = query.strip()
    asked = _by_name(text) or _by_relation(text)
    if asked is not None:
        return asked
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        inner = next(part for part in quoted.groups() if part)
        return _by_name(inner) or Asked("literal", literal=inner)
    if _QUESTION.match(text):
        return Asked("words")
    if _is_message(text):
        return Asked("literal", literal=text)
    return Asked("code" if _CODE.search(text) else "words")


def relation_asked(query: str) -> tuple[Asked, str] | None:
    """Return the relation to a name that the query may ask for, and the name as it is written.

    Whether the name is one of code, only an index knows: "tests of retries" may be words.

    >>> relation_asked("which tests cover Cache<K, V>::insert?")
    (Asked(kind='tests', path=('Cache', 'insert'), code_type='', literal=''), 'Cache<K, V>::insert')
    """
    found = _relation_in(query.strip())
    return None if found is None else (Asked(found[0], path_of(found[1])), found[1])


def spellings_by_convention(name: str) -> tuple[str, ...]:
    """Return what somebody may mean by a name: itself, and the same words as Rust spells names.

    >>> spellings_by_convention("HttpServer")
    ('HttpServer', 'r#HttpServer', 'http_server', 'HTTP_SERVER', 'httpserver')
    """
    words = [part.lower() for part in parts_of(plain_name(name))]
    snake = "_".join(words)
    camel = "".join(word.capitalize() for word in words)
    conventions = (snake, snake.upper(), camel, camel.lower())
    return tuple(dict.fromkeys([*spellings(name), *filter(None, conventions)]))


def folded(name: str) -> str:
    """Return the name without what conventions of spelling differ in: case and underscores."""
    return plain_name(name).replace("_", "").lower()


_CODE_TYPES = {
    "fn": "Function",
    "function": "Function",
    "method": "Function",
    "struct": "Struct",
    "enum": "Enum",
    "union": "Union",
    "trait": "Trait",
    "const": "Const",
    "constant": "Const",
    "static": "Static",
    "macro": "Macro",
    "mod": "Module",
    "module": "Module",
}
"""What a name is of, by the word before or behind it."""
_WORDS_OF_TWO = 2


def _by_name(text: str) -> Asked | None:
    """Return the name that the text consists of, None if it is more than a name.

    The text may also say what the name is of, or a type and its member.
    """
    path, words = path_of(text), text.split()
    if path:
        return Asked("identifier", path)
    if len(words) != _WORDS_OF_TWO:
        return None
    first, last = map(path_of, words)
    if not first or not last:
        return None
    before, behind = (_CODE_TYPES.get(word.lower()) for word in words)
    if before is not None:
        return Asked("identifier", last, before)
    if behind is not None and _is_spelt_as_code(words[0]):
        return Asked("identifier", first, behind)
    if words[0][0].isupper() and _is_spelt_as_code(words[1]):
        return Asked("identifier", (*first, *last))
    return None


def _is_spelt_as_code(text: str) -> bool:
    """Return whether a word is spelt as only names in code are: `a_b`, `aB`, `AB`, `a::b`."""
    return "_" in text or "::" in text or text not in (text.lower(), text.capitalize())


_WHO = r"(?:who|what|which (?:code|functions?|methods?))"
_WHAT = r"(?:the )?(?:function |method |fn |macro |trait |type |struct |enum )?"
_ANGLES = "<[^<>]*>"
for _ in range(2):  # so many may be nested in each other
    _ANGLES = f"<(?:[^<>]|{_ANGLES})*>"
_SEGMENT = rf"[\w#]+(?:(?:::)?{_ANGLES})?"
_NAME = rf"[`'\"]?(?P<name>(?:{_SEGMENT}|{_ANGLES})(?:(?:::|\.){_SEGMENT})*)(?:\(\)|!)?[`'\"]?"
_REST = r"(?: trait| function| method| macro)?\s*[?.]?"
_TEST = r"(?:cover|test|call|use|check|exercise)s?"
_RELATIONS: dict[QueryKind, tuple[str, ...]] = {
    "callers": (
        rf"{_WHO} (?:calls?|invokes?|uses?) {_WHAT}{_NAME}",
        rf"(?:all )?(?:the )?(?:callers|users|call sites|uses|usages) of {_WHAT}{_NAME}",
        rf"(?:all )?(?:the )?calls (?:of|to) {_WHAT}{_NAME}",
        rf"where (?:is|are) {_WHAT}{_NAME} (?:called|invoked|used)(?: from)?",
        rf"where do we (?:call|invoke|use) {_WHAT}{_NAME}",
    ),
    "implementations": (
        rf"(?:all )?(?:the )?(?:implementations?|implementors?|impls?) (?:of|for) {_WHAT}{_NAME}",
        rf"(?:who|what|which types?) implements? {_WHAT}{_NAME}",
        rf"(?:all )?(?:the )?types (?:that implement|implementing) {_WHAT}{_NAME}",
    ),
    "tests": (
        rf"(?:all )?(?:the )?(?:unit )?tests? (?:of|for|covering|that {_TEST}) {_WHAT}{_NAME}",
        rf"(?:which|what) (?:unit )?tests? {_TEST} {_WHAT}{_NAME}",
        rf"(?:who|what|which code) tests {_WHAT}{_NAME}",
        rf"(?:where|how) (?:is|are) {_WHAT}{_NAME} (?:tested|covered)",
    ),
}
_RELATION_PATTERNS = tuple(
    (kind, re.compile(f"(?:{'|'.join(forms)}){_REST}".replace("(?P<name>", "("), re.IGNORECASE))
    for kind, forms in _RELATIONS.items()
)

_USE = re.compile(r"(?i)\bus(?:ed?|es|ers|ages)\b")


def _by_relation(text: str) -> Asked | None:
    """Return the relation to a name that the text asks for, None if it asks for something else.

    What is used may be no name: "what uses memory" does not ask about a definition `memory`.
    """
    found = _relation_in(text)
    if found is None or found[0] == "tests":
        return None
    kind, name = found
    path = path_of(name)
    ambiguous = kind == "callers" and _USE.search(text) is not None
    if not path or (ambiguous and not _is_spelt_as_code(name) and f"`{name}" not in text):
        return None
    return Asked(kind, path)


def _relation_in(text: str) -> tuple[QueryKind, str] | None:
    """Return a relation and the name that the text may ask for it."""
    on_one_line = " ".join(text.split())
    for kind, pattern in _RELATION_PATTERNS:
        match = pattern.fullmatch(on_one_line)
        name = "" if match is None else next(found for found in match.groups() if found)
        if path_of(name) or name.startswith("<"):  # `<[T] as Sum>::sum` has no path
            return kind, name
    return None


_QUOTED = re.compile(r'"([^"]+)"|\'([^\']+)\'|`([^`]+)`|“([^”]+)”')
_QUESTION = re.compile(
    r"(?i)(?:how|what|where|which|who|why|when|does|do|is|are|can(?!')|find|show|list)\b|.*\w\?$"
)
_CODE = re.compile(
    r"[;{}]|=>|->|&&|\|\||[=!<>+*/-]=|::<|&(?:mut|self)\b|#!?\["  # operators and marks
    r"|\w\(|\w!\s?[(\[{]|\)\?|\w ?= ?\w|\|\w+(?:, ?\w+)*\|"  # calls, assignments, closures
    r"|\blet (?:mut )?\w+|\bimpl\b.*\bfor\b|\bfn \w+|\w<\w+(?:, ?\w+)*>"  # declarations
)
_OF_MESSAGES = re.compile(
    r"(?i)\b(?:error|warning|fatal|panicked|assertion|failed to|could ?n[o']t|can(?:'| ?no)t|"
    r"unable to|invalid|expected|unexpected|missing|unknown|no such|not found|unsupported|"
    r"must (?:not )?be|already)\b"
)
_CONCRETE = re.compile(r"\w: |\d|`[^`]+`|'[^']+'|\w/\w|\.\.\.")
"""What is in messages and hardly in a description."""


def _is_message(text: str) -> bool:
    """Return whether the text is worded as an error or a log message."""
    said = _OF_MESSAGES.search(text)
    if said is None or len(text.split()) <= _WORDS_OF_TWO:
        return False
    outside_quotes = _QUOTED.sub("", text)
    return (said.start() == 0 or _CONCRETE.search(text) is not None) and not _CODE.search(
        outside_quotes
    )
