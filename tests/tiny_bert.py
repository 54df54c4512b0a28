"""The tokeniser of the BERTs of random weights that tests make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def vocabulary(letters: str) -> list[str]:
    """Return the words of a BERT that splits everything into these letters."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return [*special, *letters, *(f"##{letter}" for letter in letters)]


def save_tokeniser(words: Sequence[str], folder: Path, *, do_lower_case: bool = True) -> None:
    """Save the tokeniser of a BERT that knows these words, in their order."""
    from transformers import BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    vocab = folder.with_name(f"{folder.name}.vocab.txt")
    vocab.write_text("\n".join(words))
    BertTokenizerFast(str(vocab), do_lower_case=do_lower_case).save_pretrained(folder)
