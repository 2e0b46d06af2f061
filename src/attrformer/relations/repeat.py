"""Coming back to the same item as a relation: R(i, j) = [i = j]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from attrformer.relations import wording
from attrformer.relations.base import Arrays, Relation, Sources
from attrformer.relations.explaining import Attribution, Question

NAME = "repeat"


@dataclass(frozen=True, slots=True, eq=False)
class RepeatRelation(Relation):
    """Whether people come back to an item, which is learned."""

    kind: ClassVar[str] = NAME

    @property
    def name(self) -> str:
        """See `Relation.name`."""
        return NAME

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One, where the options ask for it."""
        return [cls()] if options.repeat else []

    @classmethod
    def from_arrays(cls, name: str, arrays: Arrays, described: dict[str, Any]) -> RepeatRelation:
        """See `Relation.from_arrays`."""
        return cls()

    def attributions(self, question: Question) -> list[Attribution]:
        """The item itself, and whether having had it counts for it."""
        pairs = zip(question.strongest.tolist(), (question.contributions > 0).tolist(), strict=True)
        return [Attribution(item, reason=wording.had_before(welcome)) for item, welcome in pairs]
