"""Which structures are tests, and what helps them only."""

from __future__ import annotations

import pytest

from search.cargo_tests import is_test_function

from made_up import made


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("#[test]", True),
        ('#[tokio::test(flavor = "multi_thread")]', True),
        ("  # [ rstest ]", True),
        ('#[test_case(1; "one")]', True),
        ("#[wasm_bindgen_test]", True),
        ("/// Text.\n#[ignore]\n#[test]", True),
        ("#[cfg(test)]", False),
        ("#[attest]", False),
        ("// no #[test]", False),
        ("", False),
    ],
)
def test_a_test_has_an_attribute_of_tests(attribute: str, expected: bool) -> None:
    snippet = f"{attribute}\nfn name() {{}}\n"
    called = made("name", snippet=snippet, is_test=True, references=1)
    assert is_test_function(called.structure) is expected


def test_what_nothing_refers_to_is_a_test_without_an_attribute() -> None:
    assert is_test_function(made("name", is_test=True).structure)
    assert not is_test_function(made("name", is_test=False).structure)
    assert not is_test_function(made("name", is_test=True, code_type="Struct").structure)
