"""Texts of items as a relation: items whose texts read alike, with the words that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.relations import wording
from attrformer.relations.array_checks import INTEGERS, require_array, require_that
from attrformer.relations.base import Arrays, NewItems, Relation, Sources
from attrformer.relations.explaining import Attribution, Question
from attrformer.relations.item_vector import VectorRelation
from attrformer.relations.text_encoder import TextEncoder

if TYPE_CHECKING:
    from typing_extensions import Self

_WORDS = ("word_offsets", "words")


@dataclass(frozen=True, slots=True, eq=False)
class TextRelation(VectorRelation):
    """The vectors of the texts of all items, and the words by which answers are explained.

    Args:
        word_offsets: int64 `[items + 1]`, the words of each item.
        words: int32, as `TextEncoder.known_words` gives them; none where the vectors were given.
    """

    kind: ClassVar[str] = "item_text"
    reads: ClassVar[AttributeKind] = AttributeKind.TEXT

    word_offsets: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    words: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each column of texts that the options name and in which two items share something."""
        made = cls.of_columns(sources, options)
        return [relation.with_words(sources.item_attributes[relation.column], 0) for relation in made]

    def with_words(self, attribute: Attribute, known: int) -> Self:
        """The same relation with the words of further items.

        Args:
            attribute: their texts.
            known: how many items there are before them.
        """
        encoder, before = self.encoder, self.word_offsets[: known + 1]
        if isinstance(encoder, TextEncoder):
            offsets, words = encoder.known_words(attribute.texts or [""] * len(attribute))
        else:
            offsets, words = offsets_of([0] * len(attribute)), np.empty(0, np.int32)
        return replace(
            self,
            word_offsets=np.concatenate([before, before[-1] + offsets[1:]]),
            words=np.concatenate([self.words, words]),
        )

    def with_items(self, new: NewItems) -> Self:
        """See `VectorRelation.with_items`."""
        return VectorRelation.with_items(self, new).with_words(new.attributes[self.column], len(self.vectors))

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `Relation.to_arrays`."""
        arrays, described = VectorRelation.to_arrays(self)
        return {**arrays, **{name: getattr(self, name) for name in _WORDS}}, described

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> TextRelation:
        """See `Relation.from_arrays`."""
        plain = VectorRelation.from_arrays(name, arrays, described)
        words = {part: arrays[part] for part in _WORDS}
        return cls(plain.column, plain.encoder, plain.vectors, plain.top_k, plain.neighbours, plain.reach, **words)

    def check(self, items: int, users: int) -> None:
        """See `Relation.check`."""
        VectorRelation.check(self, items, users)
        count = len(self.words)
        name, known = f"words of '{self.column}'", 0
        if isinstance(self.encoder, TextEncoder):
            known = len(self.encoder.words)
        require_array(f"offsets of {name}", self.word_offsets, INTEGERS, (items + 1,), least=0, most=count)
        require_that(bool(self.word_offsets[0] == 0 and self.word_offsets[-1] == count), f"{name} are not all used")
        require_that(bool((np.diff(self.word_offsets) >= 0).all()), f"offsets of {name} are not ascending")
        require_array(name, self.words, INTEGERS, (count,), least=-1, most=known - 1)

    def shared_words(self, first: int, second: int) -> str:
        """The words that the texts of two items share one after the other, where they are rarest; "" for none.

        Args:
            first: item code.
            second: item code.
        """
        if not isinstance(self.encoder, TextEncoder):
            return ""
        rows = (self.words[self.word_offsets[item] : self.word_offsets[item + 1]] for item in (first, second))
        return self.encoder.shared_words(*rows)

    def attributions(self, question: Question) -> list[Attribution]:
        """The item of the history that counts most, and the words that it shares with the answer."""
        found = []
        for item, answer in zip(question.strongest.tolist(), question.items.tolist(), strict=True):
            title = question.title(item)
            shared = self.shared_words(item, answer) if item >= 0 else ""
            reason = wording.shares_words(self.column, shared, title) if shared else self.encoder.reason(title)
            found.append(Attribution(item, shared or None, reason=reason))
        return found
