"""Texts whose vectors an encoder of the caller's made: a sentence-transformers model, or any callable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.errors import ConfigurationError
from attrformer.relations.array_checks import Arrays, require_that
from attrformer.relations.vector_encoder import PlainVectors, VectorEncoder

if TYPE_CHECKING:
    from attrformer.relations.config import RelationsConfig


@dataclass(frozen=True, slots=True, eq=False)
class GivenTextVectors(VectorEncoder):
    """Vectors that came with the texts, centred and reduced as other vectors are; the encoder itself is not kept.

    Args:
        plain: how the vectors are turned.
        encoder: the name or path of what made them, for messages.
    """

    kind: ClassVar[str] = "given_text_vectors"
    reads: ClassVar[AttributeKind] = AttributeKind.TEXT

    plain: PlainVectors
    encoder: str

    @classmethod
    def fit(cls, attribute: Attribute, options: RelationsConfig) -> GivenTextVectors:
        """See `VectorEncoder.fit`; the attribute holds texts and their vectors."""
        return cls(PlainVectors.fit(attribute, options), attribute.encoder)

    @property
    def width(self) -> int:
        """See `VectorEncoder.width`."""
        return self.plain.width

    @property
    def axes(self) -> tuple[str, ...]:
        """See `VectorEncoder.axes`."""
        return tuple(f"{self.encoder} {axis}" for axis in self.plain.axes)

    def encode(self, attribute: Attribute) -> NDArray[np.float32]:
        """See `VectorEncoder.encode`.

        Raises:
            ConfigurationError: there are texts without vectors.
        """
        if any(attribute.texts) and not attribute.vectors.size:
            column = attribute.name
            raise ConfigurationError(
                f"The texts of '{column}' were read by {self.encoder}, which is not saved with the model. Give it "
                f"again: add_items(items, encoders={{'{column}': encoder}})."
            )
        return self.plain.encode(attribute)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `VectorEncoder.to_arrays`."""
        arrays, described = self.plain.to_arrays()
        return arrays, {**described, "encoder": self.encoder}

    @classmethod
    def from_arrays(cls, arrays: Arrays, described: dict[str, Any]) -> GivenTextVectors:
        """See `VectorEncoder.from_arrays`."""
        return cls(PlainVectors.from_arrays(arrays, described), described["encoder"])

    def check(self, name: str) -> None:
        """See `VectorEncoder.check`."""
        require_that(isinstance(self.encoder, str), f"the encoder of '{name}' has no name")
        self.plain.check(name)
