"""Every kind of encoder that turns an attribute into vectors."""

from __future__ import annotations

from typing import Final

from attrformer.data.attributes import AttributeKind
from attrformer.relations.vector_encoder import PlainVectors, VectorEncoder

ENCODERS: Final[tuple[type[VectorEncoder], ...]] = (PlainVectors,)
"""One for each kind of attribute that is read as vectors."""


def encoder_for(kind: AttributeKind) -> type[VectorEncoder] | None:
    """The encoder of a kind of attribute; None where such attributes are not read as vectors.

    Args:
        kind: of the attribute.
    """
    return next((encoder for encoder in ENCODERS if encoder.reads is kind), None)


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
