"""Which addresses and refs git is asked for. Pure text: runs no git.

Secrets don't belong in an address, which shows up in parameters, logs and lists of processes; git
has credential helpers for them.
"""

from __future__ import annotations

import re

from flows.errors import UsageError

_SCHEMES = ("https", "ssh", "file")
_SCP_LIKE = re.compile(r"([^/:@]+@)?[^/:@]+:(?!//)")
"""user@host:path, as git reads it: a colon before the first slash."""
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:@\[\]]+)(:\d+)?")
_TRANSPORT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*|-\w")
_NOT_IN_A_REF = re.compile(r"[\s\x00-\x20\x7f:?*\[\\^~]|\.\.|@\{")
"""What git does not allow in a ref's name, and what would name several refs or another one."""
_LONGEST_REF = 1000
"""Characters; git keeps refs as files, and paths have at most a few thousand."""


def is_url(repo: str) -> bool:
    """Return whether git reads this as an address, not as a path.

    >>> is_url("https://example.org/a.git"), is_url("git@example.org:a.git"), is_url("./a:b")
    (True, True, False)
    """
    return "://" in repo or "::" in repo or bool(_SCP_LIKE.match(repo))


def check_url(url: str) -> None:
    """Raise UsageError if the address contains a secret, or git is not to fetch from it.

    The message contains no secret.
    """
    scheme, separator, rest = url.partition("://")
    if (separator and scheme not in _SCHEMES) or "::" in url.partition("/")[0]:
        found = re.split("::|://", url)[0]
        raise UsageError(
            "git fetches by https, ssh and file, found "
            f"{found if _TRANSPORT.fullmatch(found) else 'another'}: others can be tampered with "
            "on the way, or run programs. Clone it yourself and name the folder."
        )
    address = rest if separator else url
    authority = re.split("[/?#]", address, maxsplit=1)[0]
    behind = address[len(authority) :]
    user, at, host = authority.rpartition("@")
    # With an @ further on, what looks like the host may be part of a secret that has / ? or #.
    shown = (
        host.partition("]" if host.startswith("[") else ":")[0].lstrip("[")
        if "@" not in behind and (at or _HOST.fullmatch(host))
        else ""
    )
    if (
        ":" in user
        or (at and scheme in ("https", "file"))
        or (scheme in ("https", "ssh") and not _HOST.fullmatch(host))
    ):
        raise UsageError(
            f"the URL of {shown or 'the repository'} contains a user name or secret: leave it "
            "out, and let one of git's credential helpers give it "
            "(https://git-scm.com/docs/gitcredentials), or use ssh."
        )
    if re.search("[@?#]", behind):
        raise UsageError(
            f"the URL of {shown or 'the repository'} goes on with ?, # or @, where secrets may be: "
            "leave that out; in a path, write %3F, %23 or %40."
        )
    if re.search(r"[\x00-\x1f\x7f]", url) or url.startswith("-"):
        raise UsageError(
            "--repo takes an https://, ssh:// or file:// URL, git@host:path or a folder, "
            f"found {url!r}."
        )


def check_ref(ref: str) -> None:
    """Raise UsageError if this can't name a branch, a tag or a commit."""
    if len(ref) > _LONGEST_REF:
        raise UsageError(
            f"--ref takes a branch, a tag or a full commit hash, found {len(ref):,} characters."
        )
    if (
        ref.startswith(("-", "+", "/"))
        or ref.endswith(("/", ".", ".lock"))
        or _NOT_IN_A_REF.search(ref)
    ):
        raise UsageError(f"--ref takes a branch, a tag or a full commit hash, found {ref!r}.")


def last_part(url: str) -> str:
    """Return the last part of an address, without `.git`.

    >>> last_part("git@example.org:team/repo.git"), last_part("file:///srv/repo/.git/")
    ('repo', 'repo')
    """
    return re.split(r"[/:]", re.sub(r"(/+|/?\.git/*)$", "", url.rstrip("/")))[-1]


def protocols(url: str) -> str:
    """Return the transports that a fetch of this may use, for submodules and redirects, too.

    `file` only if the repository is on this disk: a foreign one must not name folders here.
    """
    on_disk = not is_url(url) or url.startswith("file://")
    return "https:ssh:file" if on_disk else "https:ssh"
