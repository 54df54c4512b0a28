"""What reaches structures by references, in a graph that is told by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from search.graph import Edge, Node
from search.walk import Walked, walk

MEMBER = "00000000-0000-0000-0000-000000000000"


class User(NamedTuple):
    node: Node
    refers_to: tuple[str, ...]
    guesses: tuple[str, ...]


def user(
    key: str, *refers_to: str, guesses: tuple[str, ...] = (), implements: tuple[str, ...] = ()
) -> User:
    return User(Node(key, implements, "Function"), refers_to, guesses)


def reached(
    graph: list[User],
    *targets: str,
    steps: int = 9,
    most: int = 99,
    through_outside: bool = False,
) -> Walked:
    def ask(keys: Collection[str]) -> Iterator[Edge]:
        for node, refers_to, guesses in graph:
            yield from (Edge(node, key, is_guessed=True) for key in guesses if key in keys)
            yield from (Edge(node, key, is_guessed=False) for key in refers_to if key in keys)

    nodes = {user.node.key: user.node for user in graph}
    starts = [nodes.get(target, Node(target)) for target in targets]
    return walk(ask, starts, steps, most, through_outside=through_outside)


def steps(found: Walked) -> dict[str, int]:
    return {key: reaching.steps for key, reaching in found.found.items()}


CHAIN = [user("a", "target"), user("b", "a"), user("c", "b"), user("d", "c", "target")]


def test_the_nearest_come_first_and_steps_are_limited() -> None:
    assert steps(reached(CHAIN, "target")) == {"a": 1, "d": 1, "b": 2, "c": 3}
    assert steps(reached(CHAIN, "target", steps=2)) == {"a": 1, "d": 1, "b": 2}
    assert reached(CHAIN, "target").found["c"].via == "b"


def test_each_target_is_counted_by_itself() -> None:
    graph = [user("x", "y"), user("y"), user("z", "x"), user("far", "z")]
    found = reached(graph, "x", "y", "z")
    assert found.counts(["far", "z"]) == {"x": 2, "y": 2, "z": 1}
    assert found.counts(["x", "y", "none"]) == {"x": 0, "y": 1, "z": 0}
    assert steps(found) == {"x": 1, "z": 1, "far": 1}


def test_a_late_way_to_another_target_is_followed_as_far() -> None:
    graph = [user("a", "near", "m"), user("m", "far"), user("b", "a"), user("near"), user("far")]
    assert reached(graph, "near", "far", steps=3).counts(["b"]) == {"near": 1, "far": 1}
    assert reached(graph, "near", "far", steps=2).counts(["b"]) == {"near": 1, "far": 0}


def test_what_calls_a_traits_member_reaches_what_implements_it() -> None:
    graph = [
        user("circle", implements=(MEMBER,)),
        user("square", implements=(MEMBER,)),
        user("total", MEMBER),
        user("both", "circle", MEMBER),
        user(MEMBER),
    ]
    found = reached(graph, "circle", "square")
    assert {key: found.found[key].through for key in found.found} == {"total": MEMBER, "both": None}
    assert found.counts(["total", "both"]) == {"circle": 2, "square": 2}


def test_traits_outside_are_followed_only_if_that_is_asked_for() -> None:
    graph = [user("clone", implements=("core::Clone::clone",)), user("a", "core::Clone::clone")]
    assert steps(reached(graph, "clone")) == {}
    assert steps(reached(graph, "clone", through_outside=True)) == {"a": 1}


def test_what_is_certain_is_no_guess_in_whatever_order_it_is_read() -> None:
    graph = [user("a", "t", guesses=("t",)), user("b", "t"), user("c", "b", guesses=("a",))]
    found = reached(graph, "t").found
    assert {key: found[key].is_guessed for key in found} == dict.fromkeys("abc", False)
    assert found["c"].via == "b"


def test_guesses_are_told_as_are_the_steps_behind_them() -> None:
    graph = [user("a", guesses=("t",)), user("b", "a"), user("c", "t", guesses=("t",))]
    found = reached(graph, "t").found
    assert {key: found[key].is_guessed for key in found} == {"a": True, "c": False, "b": True}


def test_cycles_end() -> None:
    graph = [user("a", "b", "a"), user("b", "a")]
    found = reached(graph, "a")
    assert steps(found) == {"a": 1, "b": 1}
    assert found.counts(["a", "b"]) == {"a": 1}


def test_only_so_many_are_followed() -> None:
    assert reached(CHAIN, "target", most=4).is_all
    found = reached(CHAIN, "target", most=3)
    assert (list(found.found), found.is_all) == (["a", "d", "b"], False)
    assert reached([], "target").found == {}
