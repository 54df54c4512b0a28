"""What reaches some structures by references, in a few steps: breadth first, from all at once.

A structure that refers to another one is one step away from it. A call through a trait's member may
run what implements it, so what refers to the member reaches that, too. It reads nothing by itself.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from search import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence


class User(NamedTuple):
    """A structure whose own lines refer to something, or may do so."""

    id: str
    refers_to: Collection[str]
    """Ids."""
    may_refer_to: Collection[str]
    implements: Sequence[str]
    """Ids of members of traits, or of traits if it is an impl block."""
    is_test: bool
    code_type: str
    references: int
    file_path: str
    line: int


class Reaching(NamedTuple):
    """A structure that reaches some of the targets."""

    user: User
    steps: int
    """To the nearest target."""
    via: str
    """Id of the structure one step nearer, which may be a target."""
    through: str | None
    """Id of the trait's member that it refers to instead of `via`."""
    is_guessed: bool
    """Whether only names say so, of this step or of one nearer."""


class _Lead(NamedTuple):
    """Where a reference leads."""

    via: str
    targets: int
    """Bits of those that `via` reaches or is."""
    through: str | None
    is_guessed: bool


class _Node(NamedTuple):
    """A structure from which the next step goes on."""

    targets: int
    """Bits of those that it reaches or is."""
    implements: Sequence[str]
    is_guessed: bool


class Reach:
    """What reaches the targets, as far as it was followed."""

    def __init__(self, targets: Iterable[str], most: int) -> None:
        self.found: dict[str, Reaching] = {}
        """By id, the nearest first. A target is among them if it reaches another one, or itself."""
        self.is_all = True
        """Whether nothing was left out."""
        self._most = most
        self._bits = {target: 1 << number for number, target in enumerate(targets)}
        self._reached = dict[str, int]()
        """Bits of the targets that a structure reaches."""

    def note(self, user: User, steps: int, leads: Sequence[_Lead]) -> _Node | None:
        """Take an answer into account; return the node it makes, None if nothing of it is new."""
        known = self._reached.get(user.id, 0)
        bits = reduce(or_, (lead.targets for lead in leads), known)
        if bits == known:
            return None
        if not known:
            if len(self.found) >= self._most:
                self.is_all = False
                return None
            via, _, through, is_guessed = leads[0]
            self.found[user.id] = Reaching(user, steps, via, through, is_guessed)
        self._reached[user.id] = bits
        own = self._bits.get(user.id, 0)
        return _Node(bits | own, user.implements, leads[0].is_guessed)

    def first_nodes(self, targets: Mapping[str, Sequence[str]]) -> dict[str, _Node]:
        """Return the targets as what the first step begins with."""
        return {key: _Node(self._bits[key], targets[key], is_guessed=False) for key in targets}

    def counts(self, ids: Collection[str]) -> dict[str, int]:
        """Return how many of these ids reach each target, besides itself."""
        width = len(self._bits) // 8 + 1
        totals = np.zeros(8 * width, np.int64)
        for key in ids:
            bits = self._reached.get(key, 0) & ~self._bits.get(key, 0)
            row = np.frombuffer(bits.to_bytes(width, "little"), np.uint8)
            totals += np.unpackbits(row, bitorder="little")
        return dict(zip(self._bits, totals.tolist(), strict=False))


def reach(
    users: Callable[[Collection[str]], Iterable[User]],
    targets: Mapping[str, Sequence[str]],
    steps: int,
    most: int = limits.WALKED,
) -> Reach:
    """Return what reaches the targets in at most so many steps.

    `targets` are ids, each with the members of traits that it implements. `users` returns what
    refers, or may refer, to one of some ids; the same more than once does no harm.
    """
    reached, graph = Reach(targets, most), _Graph(users, most)
    nodes = reached.first_nodes(targets)
    for step in range(1, steps + 1):
        direct, through = _leads(nodes)
        nodes = {}
        for user in graph.users({**direct, **through}):
            node = reached.note(user, step, _leads_of(user, direct, through))
            if node is not None:
                nodes[user.id] = node
    reached.is_all &= graph.is_all
    return reached


class _Graph:
    """What refers to what, asked for once."""

    def __init__(self, ask: Callable[[Collection[str]], Iterable[User]], most: int) -> None:
        self._ask, self._most = ask, most
        self._users: dict[str, list[User]] = {}
        """By what they refer to."""
        self.is_all = True
        """Whether no answer had more than so many users: of such a one the rest is left out."""

    def users(self, keys: Collection[str]) -> Iterable[User]:
        """Return what refers, or may refer, to one of the keys; each user once."""
        new = {key: list[User]() for key in keys if key not in self._users}
        self._users |= new
        known = set[str]()
        for user in self._ask(new) if new else ():
            if user.id in known:
                continue
            if len(known) >= self._most:
                self.is_all = False
                break
            known.add(user.id)
            for key in {*user.refers_to, *user.may_refer_to} & new.keys():
                new[key].append(user)
        return {user.id: user for key in keys for user in self._users[key]}.values()


def _leads(nodes: Mapping[str, _Node]) -> tuple[dict[str, _Lead], dict[str, _Lead]]:
    """Return where references to ids lead, and those to members that the nodes implement."""
    direct, through = dict[str, _Lead](), dict[str, _Lead]()
    for key, node in nodes.items():
        direct[key] = _Lead(key, node.targets, None, node.is_guessed)
        for member in node.implements:
            known = through.get(member) or _Lead(key, 0, member, node.is_guessed)
            through[member] = known._replace(targets=known.targets | node.targets)
    return direct, through


def _leads_of(user: User, direct: Mapping[str, _Lead], through: Mapping[str, _Lead]) -> list[_Lead]:
    """Return where the user's references lead: first what they name, then what that may run."""
    leads = [direct[key] for key in user.refers_to if key in direct]
    guessed = [direct[key]._replace(is_guessed=True) for key in user.may_refer_to if key in direct]
    if user.code_type != "Impl":  # its head names the trait: it uses no other impl block of that
        leads += [through[key] for key in user.refers_to if key in through]
    return sorted([*leads, *guessed], key=lambda lead: lead.is_guessed)
