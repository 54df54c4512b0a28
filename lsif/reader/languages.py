"""Languages by the names that indexers have for them.

https://code.visualstudio.com/docs/languages/identifiers
"""

_LANGUAGES = {
    "c#": "csharp", "c++": "cpp", "cc": "cpp", "cs": "csharp", "cxx": "cpp", "golang": "go",
    "cjs": "javascript", "h": "c", "hpp": "cpp", "mjs": "javascript", "mts": "typescript",
    "js": "javascript", "jsx": "javascriptreact", "kt": "kotlin", "objc": "objective-c",
    "py": "python", "python3": "python", "rb": "ruby", "rs": "rust", "ts": "typescript",
    "tsx": "typescriptreact",
}  # fmt: skip
"""Identifiers by the other names that indexers use; lsif-py writes `py`."""

_SUFFIXES = frozenset({"c", "cpp", "go", "java", "php", "swift"})
"""Suffixes of files that are identifiers themselves."""


def language_of(name: str, uri: str) -> str:
    """Return the language's identifier for a name that some indexer has for it.

    Without a name the file's suffix says it; empty if neither is known. The suffix also tells the
    dialects that some indexers have no name for.

    >>> language_of("TypeScript", "file:///a/b.tsx"), language_of("", "file:///a/b.rs")
    ('typescriptreact', 'rust')
    """
    suffix = uri.rpartition("/")[2].rpartition(".")[2].lower()
    by_suffix = _LANGUAGES.get(suffix, suffix if suffix in _SUFFIXES else "")
    name = name.strip().lower()
    if not name:
        return by_suffix
    language = _LANGUAGES.get(name, name)
    return by_suffix if by_suffix == f"{language}react" else language
