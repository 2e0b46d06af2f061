"""Encoders of texts that callers bring: a callable, or the folder of a sentence-transformers model."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.data.dataset import Dataset
from attrformer.errors import ConfigurationError

Encoder: TypeAlias = "Callable[[list[str]], Any] | str | Path"

_AT_A_TIME = 1024


def with_text_vectors(dataset: Dataset, option: Mapping[str, str], encoders: Mapping[str, Encoder] | None) -> Dataset:
    """The dataset with vectors beside the texts of item attributes.

    Args:
        dataset: the data.
        option: folders of models by column, as the options name them.
        encoders: encoders by column, which come before those of the options.

    Raises:
        ConfigurationError: a column is no text attribute of items, or an encoder cannot be used.
    """
    attributes = with_vectors(dataset.item_attributes, encoders, option)
    return replace(dataset, item_attributes=attributes) if option or encoders else dataset


def with_vectors(
    attributes: Mapping[str, Attribute], encoders: Mapping[str, Encoder] | None, option: Mapping[str, str] | None = None
) -> dict[str, Attribute]:
    """Attributes with vectors beside their texts.

    Args:
        attributes: of items, by column.
        encoders: by column, or None.
        option: folders of models by column, for what `encoders` does not name.

    Raises:
        ConfigurationError: a column is no text attribute, or an encoder cannot be used.
    """
    if encoders is not None and not isinstance(encoders, Mapping):
        raise ConfigurationError("encoders is no mapping. Give {'column': encoder}.")
    found = dict(attributes)
    for name, encoder in {**(option or {}), **(encoders or {})}.items():
        attribute = attributes.get(name)
        if attribute is None or attribute.kind is not AttributeKind.TEXT:
            texts = [each.name for each in attributes.values() if each.kind is AttributeKind.TEXT]
            raise ConfigurationError(
                f"encoders names '{name}', which is no text attribute of items. There are: "
                f"{', '.join(texts) or 'none'}."
            )
        called, told = _callable(name, encoder)
        found[name] = replace(attribute, vectors=_vectors(name, attribute.texts, called), encoder=told)
    return found


def _callable(column: str, encoder: Encoder) -> tuple[Callable[[list[str]], Any], str]:
    """What turns texts into vectors, and its name."""
    if callable(encoder):
        name = getattr(encoder, "__qualname__", type(encoder).__qualname__)
        return encoder, f"{getattr(encoder, '__module__', '')}.{name}".lstrip(".")
    if isinstance(encoder, (str, Path)):
        return _sentence_transformer(column, Path(encoder)), str(encoder)
    raise ConfigurationError(
        f"The encoder of '{column}' is {type(encoder).__name__}. Give a function from a list of texts to an array of "
        "vectors, or the folder of a sentence-transformers model."
    )


def _sentence_transformer(column: str, folder: Path) -> Callable[[list[str]], Any]:
    if not folder.is_dir():
        raise ConfigurationError(
            f"The encoder of '{column}', {folder}, is no folder. Download the model and give its folder; nothing is "
            "downloaded here."
        )
    try:
        module = importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise ConfigurationError(
            f"The encoder of '{column}' is a sentence-transformers model, and that library is not installed. Install "
            "it: pip install 'attrformer[text]'."
        ) from error
    try:
        model = module.SentenceTransformer(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        told = " ".join(str(error).split())[:200]
        raise ConfigurationError(f"The model in {folder} cannot be read ({told}). Download it again.") from error
    return lambda texts: model.encode(texts, show_progress_bar=False, convert_to_numpy=True)


def _vectors(column: str, texts: tuple[str, ...], encoder: Callable[[list[str]], Any]) -> NDArray[np.float32]:
    """Vectors of texts, float32 `[n, d]`, NaN where a text is missing; each different text is encoded once."""
    distinct = list(dict.fromkeys(text for text in texts if text))
    if not distinct:
        return np.empty((0, 0), np.float32)
    blocks = []
    for start in range(0, len(distinct), _AT_A_TIME):
        block = distinct[start : start + _AT_A_TIME]
        blocks.append(_checked(column, encoder(block), len(block)))
    widths = {block.shape[1] for block in blocks}
    if len(widths) > 1:
        raise ConfigurationError(f"The encoder of '{column}' gives vectors of several lengths. Give them one length.")
    place = {text: number for number, text in enumerate(distinct)}
    rows = np.array([place.get(text, len(distinct)) for text in texts])
    missing = np.full((1, widths.pop()), np.nan, dtype=np.float32)
    found: NDArray[np.float32] = np.concatenate([*blocks, missing])[rows]
    return found


def _checked(column: str, given: Any, count: int) -> NDArray[np.float32]:
    try:
        vectors = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"The encoder of '{column}' gives no array of numbers ({error}).") from error
    if vectors.ndim != 2 or vectors.shape[0] != count or not vectors.shape[1]:
        raise ConfigurationError(
            f"The encoder of '{column}' gives an array of shape {list(vectors.shape)} for {count:,} texts. Give one "
            "vector for each text."
        )
    if not np.isfinite(vectors).all():
        raise ConfigurationError(f"The encoder of '{column}' gives values that are no finite numbers. Correct it.")
    return vectors
