"""Vectors of items as a relation: R_a(i, j) = max(0, x_i^T M_a x_j), items near each other in a space of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import AttributeKind
from attrformer.relations.array_checks import FLOATS, INTEGERS, is_count, require_array, require_that
from attrformer.relations.attribute_encoder import AttributeEncoder
from attrformer.relations.base import Arrays, Labels, NewItems, Relation, Sources, chosen
from attrformer.relations.encoders import encoder_for, encoder_named
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.item_attribute import OPTION
from attrformer.relations.naming import relation_name
from attrformer.relations.vector_encoder import VectorEncoder
from attrformer.relations.vector_neighbours import NONE, nearest_neighbours, with_new_neighbours

if TYPE_CHECKING:
    from typing_extensions import Self

_ENCODER = "encoder."
"""Begins the names of the encoder's arrays."""


@dataclass(frozen=True, slots=True, eq=False)
class VectorRelation(Relation):
    """The vectors of all items, and for large catalogues which items are near each other; M_a itself is learned.

    An item is not related to itself: whether people come back to it is another relation. No interaction is counted, so
    there is nothing to be cross-fitted.

    Args:
        column: of the items' table.
        encoder: how items that come later are read.
        vectors: float32 `[items, d]`, of length 1, or zeros for an item without a vector, which relates to nothing.
        top_k: neighbours of an item; None where all pairs of items are related.
        neighbours: int32 `[items, w]`, the nearest items of each by cosine, ascending, behind unused places with -1;
            None where all pairs are related.
        reach: float32 `[items]`, the cosine from which a new item joins the neighbours of each; None where all pairs
            are related.
    """

    kind: ClassVar[str] = "item_vector"
    relates_items: ClassVar[bool] = True
    reads: ClassVar[AttributeKind] = AttributeKind.VECTOR

    column: str
    encoder: VectorEncoder
    vectors: NDArray[np.float32]
    top_k: int | None = None
    neighbours: NDArray[np.int32] | None = None
    reach: NDArray[np.float32] | None = None

    @property
    def name(self) -> str:
        """The kind of thing and the column, such as "item_picture"."""
        return relation_name("item", self.column)

    @property
    def source(self) -> str:
        """The column."""
        return self.column

    @property
    def item_columns(self) -> Mapping[str, AttributeEncoder | None]:
        """See `Relation.item_columns`."""
        return {self.column: AttributeEncoder(self.encoder.reads, np.empty(0), np.empty(0, dtype=np.int64))}

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column that the options name, that an encoder reads and that has a direction."""
        return list(cls.of_columns(sources, options))

    @classmethod
    def of_columns(cls, sources: Sources, options: Any) -> list[Self]:
        """As `build`, of the columns of the kind that `reads` names."""
        made: list[Self] = []
        for name in chosen(options.item_attributes, sources.item_attributes, OPTION):
            attribute = sources.item_attributes[name]
            encoder = encoder_for(attribute) if attribute.kind is cls.reads else None
            if encoder is None:
                continue
            fitted = encoder.fit(attribute, options)
            vectors = fitted.encode(attribute)
            if np.count_nonzero(vectors.any(axis=1)) > 1:
                made.append(cls.of_vectors(name, fitted, vectors, sources.top_k))
        return made

    @classmethod
    def of_vectors(cls, column: str, encoder: VectorEncoder, vectors: NDArray[np.float32], top_k: int | None) -> Self:
        """A relation of encoded vectors.

        Args:
            column: of the items' table.
            encoder: that has encoded them.
            vectors: float32 `[items, d]`, rows of length 1 or 0.
            top_k: neighbours of an item; None relates all pairs.
        """
        if top_k is None:
            return cls(column, encoder, vectors)
        return cls(column, encoder, vectors, top_k, *nearest_neighbours(vectors, top_k))

    def with_items(self, new: NewItems) -> Self:
        """New items are near those that their vectors are near to, and these near to them."""
        vectors = np.concatenate([self.vectors, self.encoder.encode(new.attributes[self.column])])
        if self.neighbours is None or self.reach is None or self.top_k is None:
            return replace(self, vectors=vectors)
        neighbours, reach = with_new_neighbours(self.neighbours, self.reach, vectors, self.top_k)
        return replace(self, vectors=vectors, neighbours=neighbours, reach=reach)

    def row(self, key: int) -> NDArray[np.float32]:
        """The cosine of an item and every item where it is above 0, and the items are related, float32 `[items]`."""
        out: NDArray[np.float32] = np.maximum(self.vectors @ self.vectors[key], 0.0)
        out[key] = 0.0
        if self.neighbours is not None:
            kept = np.zeros(len(out), dtype=bool)
            kept[self.neighbours[key][self.neighbours[key] != NONE]] = True
            out[~kept] = 0.0
        return out

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays, described = self.encoder.to_arrays()
        arrays = {f"{_ENCODER}{name}": array for name, array in arrays.items()} | {"vectors": self.vectors}
        if self.neighbours is not None and self.reach is not None:
            arrays |= {"neighbours": self.neighbours, "reach": self.reach}
        encoder = {"kind": self.encoder.kind, **described}
        return arrays, {"column": self.column, "top_k": self.top_k, "encoder": encoder}

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> Self:
        """See `Relation.from_arrays`."""
        own = {part.removeprefix(_ENCODER): array for part, array in arrays.items() if part.startswith(_ENCODER)}
        encoder = encoder_named(described["encoder"]["kind"]).from_arrays(own, described["encoder"])
        kept = () if described["top_k"] is None else (described["top_k"], arrays["neighbours"], arrays["reach"])
        return cls(described["column"], encoder, arrays["vectors"], *kept)

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        self.encoder.check(self.column)
        shape = (items, self.encoder.width)
        require_array(f"vectors of '{self.column}'", self.vectors, FLOATS, shape, least=-1.001, most=1.001)
        if self.neighbours is None or self.reach is None:
            return
        require_array(f"reach of '{self.column}'", self.reach, FLOATS, (items,), least=0, most=1.001)
        require_that(is_count(self.top_k), f"'{self.column}' has no number of neighbours")
        name = f"neighbours of '{self.column}'"
        require_array(name, self.neighbours, INTEGERS, (items, -1), least=NONE, most=items - 1)
        before, after = self.neighbours[:, :-1], self.neighbours[:, 1:]
        require_that(bool(((before < after) | (after == NONE)).all()), f"{name} are not ascending")

    def parameter_axes(self, relations: Mapping[str, Relation]) -> dict[str, list[Labels]]:
        """See `Relation.parameter_axes`."""
        axes = self.encoder.axes
        return {"log_diagonal": [axes], "left": [axes, None], "right": [axes, None]}

    def attributions(self, question: Question) -> list[Attribution]:
        """The item of the history that counts most, with the sentence of the encoder."""
        found = question.strongest.tolist()
        return [Attribution(item, reason=self.encoder.reason(question.title(item))) for item in found]
