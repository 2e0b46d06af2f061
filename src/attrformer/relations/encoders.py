"""Every kind of encoder that turns an attribute into vectors."""

from __future__ import annotations

from typing import Final

from attrformer.data.attributes import Attribute
from attrformer.relations.given_text_vectors import GivenTextVectors
from attrformer.relations.text_encoder import TextEncoder
from attrformer.relations.vector_encoder import PlainVectors, VectorEncoder

ENCODERS: Final[tuple[type[VectorEncoder], ...]] = (PlainVectors, TextEncoder, GivenTextVectors)
"""The first that reads a kind of attribute is the one for it; texts that come with vectors have one of their own."""


def encoder_for(attribute: Attribute) -> type[VectorEncoder] | None:
    """The encoder of an attribute; None where such attributes are not read as vectors.

    Args:
        attribute: of items.
    """
    if attribute.texts and attribute.vectors.size:
        return GivenTextVectors
    return next((encoder for encoder in ENCODERS if encoder.reads is attribute.kind), None)


def encoder_named(kind: str) -> type[VectorEncoder]:
    """The class of an encoder in a saved model.

    Args:
        kind: its name.

    Raises:
        KeyError: there is none of that name.
    """
    for encoder in ENCODERS:
        if encoder.kind == kind:
            return encoder
    raise KeyError(f"encoder '{kind}'")
