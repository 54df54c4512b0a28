"""Which repositories and refs git is asked for. Pure text: runs no git.

Secrets don't belong in an address, which is seen in parameters, logs and lists of processes; git has credential helpers for them.
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
"""What git does not allow in a ref's name, and what would make several refs or another name of one."""
_LONGEST_REF = 1000
"""Characters; git keeps refs as files, and no path has more than some thousand."""


def is_url(repo: str) -> bool:
    """Return whether git reads this as an address, not as a path.

    >>> is_url("https://example.org/a.git"), is_url("git@example.org:a.git"), is_url("./a:b")
    (True, True, False)
    """
    return "://" in repo or "::" in repo or bool(_SCP_LIKE.match(repo))


def check_url(url: str) -> None:
    """Raise UsageError where the address holds a secret or is none that is fetched from. The message holds no secret."""
    scheme, separator, rest = url.partition("://")
    if (separator and scheme not in _SCHEMES) or "::" in url.partition("/")[0]:
        found = re.split("::|://", url)[0]
        raise UsageError(
            f"git is asked by https, ssh and file, found {found if _TRANSPORT.fullmatch(found) else 'another'}: others are open to "
            "whoever sits in between, or run programs. Clone it yourself and name the folder."
        )
    address = rest if separator else url
    authority = re.split("[/?#]", address, maxsplit=1)[0]
    behind = address[len(authority) :]
    user, at, host = authority.rpartition("@")
    # With an @ further on, what looks like the host may be a part of a secret that holds one of / ? #.
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
            f"the URL of {shown or 'the repository'} holds a user or secret: leave it out, and let one of "
            "git's credential helpers give it (https://git-scm.com/docs/gitcredentials), or use ssh."
        )
    if re.search("[@?#]", behind):
        raise UsageError(
            f"the URL of {shown or 'the repository'} goes on with ?, # or @, where secrets stand: leave that out; in a name of the "
            "path write %3F, %23 or %40."
        )
    if re.search(r"[\x00-\x1f\x7f]", url) or url.startswith("-"):
        raise UsageError(
            f"--repo takes an https://, ssh:// or file:// URL, git@host:path or a folder, found {url!r}."
        )


def check_ref(ref: str) -> None:
    """Raise UsageError where this can't be the name of a branch or tag, or a commit."""
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

    Of the disk they are read only where it is on the disk: a foreign repository must not name folders of this machine.
    """
    on_disk = not is_url(url) or url.startswith("file://")
    return "https:ssh:file" if on_disk else "https:ssh"
