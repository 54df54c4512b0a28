"""The model to train: the base, or some of its layers; for a reranker, with another head."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from embedding.errors import ModelError, first_line

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer

    from embedding.tuning.settings import ModelSource, TuneSettings


def load_student(settings: TuneSettings) -> SentenceTransformer:
    """Return the base with as many layers as the settings say. Raises ModelError."""
    model = load(settings.base, settings.device)
    if settings.layers:
        keep_layers(model, settings.layers, settings.base.name)
    return model


def load_cross_encoder(settings: TuneSettings) -> CrossEncoder:
    """Return a cross-encoder that has the layers of the base, and a head of random weights.

    It reads as many tokens as the settings say. Raises ModelError.
    """
    import torch  # noqa: PLC0415 - takes seconds
    from sentence_transformers import CrossEncoder  # noqa: PLC0415 - takes seconds
    from transformers import AutoModelForSequenceClassification  # noqa: PLC0415 - the same

    from embedding.first_token import read_first_token_only  # noqa: PLC0415 - imports torch

    encoder = load_student(settings)
    transformer: Any = getattr(encoder[0], "auto_model", None)
    classifiers: Any = AutoModelForSequenceClassification  # which is not typed
    torch.manual_seed(settings.seed)
    try:
        transformer.config.num_labels = 1
        classifier = classifiers.from_config(transformer.config)
        positions = classifier.config.max_position_embeddings
    except (AttributeError, ValueError) as exc:
        raise ModelError(
            f"{settings.base.name} can't become a reranker: {first_line(exc)}. Name another --base."
        ) from exc
    # The base may have no pooler, or the classifier may need none.
    classifier.base_model.load_state_dict(transformer.state_dict(), strict=False)
    with tempfile.TemporaryDirectory() as folder:
        classifier.float().save_pretrained(folder)
        encoder.tokenizer.save_pretrained(folder)
        tokens, device = min(settings.tokens, positions), str(encoder.device)
        model: CrossEncoder = CrossEncoder(
            folder, max_length=tokens, device=device, local_files_only=True
        )
    read_first_token_only(model.model)
    return model


def load(source: ModelSource, device: str) -> SentenceTransformer:
    """Return the model in float32. Raises ModelError if it can't be loaded."""
    import torch  # noqa: PLC0415 - takes seconds
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds

    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("torch finds no GPU; --device cpu trains without one.")
    try:
        model: SentenceTransformer = SentenceTransformer(
            source.source,
            device=None if device == "auto" else device,
            revision=source.revision,
            local_files_only=source.revision is None,
        )
    except Exception as exc:  # the model libraries raise errors of any type
        raise ModelError(f"model {source.name} can't be loaded: {first_line(exc)}.") from exc
    return model.float()


def keep_layers(model: SentenceTransformer, count: int, name: str) -> None:
    """Keep `count` of the model's layers: the first one and the last ones.

    Of all choices these come nearest to the whole model (of MiniLM's six the first and the last
    two: a mean cosine of 0.69; three evenly spaced: 0.47). Raises ModelError if the model has
    fewer layers, or is no BERT.
    """
    import torch  # noqa: PLC0415 - takes seconds

    bert: Any = getattr(model[0], "auto_model", None)
    layers = getattr(getattr(bert, "encoder", None), "layer", None)
    if not isinstance(layers, torch.nn.ModuleList):
        raise ModelError(f"--layers needs a BERT; {name} is a {type(bert).__name__}.")
    if count > len(layers):
        raise ModelError(f"{name} has {len(layers)} layers; --layers can't keep {count}.")
    kept = [layers[0], *layers[len(layers) - count + 1 :]]
    bert.encoder.layer = torch.nn.ModuleList(kept)
    bert.config.num_hidden_layers = count


def mix_in(model: SentenceTransformer, base: SentenceTransformer, share: float) -> None:
    """Make each weight the mean of its own and the base's, which counts as much as `share`."""
    import torch  # noqa: PLC0415 - takes seconds

    other = dict(base.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.lerp_(other[name].to(weight.device), share)
