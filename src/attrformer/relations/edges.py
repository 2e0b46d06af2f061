"""Edge tables that the user supplied, as a relation between items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy

from attrformer.data.edges import Edges
from attrformer.relations import wording
from attrformer.relations.base import Relation, Sources, chosen
from attrformer.relations.naming import relation_name
from attrformer.relations.row_table import RowRelation, keep_top


@dataclass(frozen=True, slots=True, eq=False)
class EdgeRelation(RowRelation):
    """Items that an edge table joins."""

    kind: ClassVar[str] = "edge"

    @property
    def source(self) -> str:
        """Name of the edge table."""
        return self.name.removeprefix(relation_name(self.kind, ""))

    @classmethod
    def build(cls, sources: Sources, options: Any, built: Mapping[str, Relation]) -> list[Relation]:
        """One for each edge table that the options name."""
        return [
            edge_relation(relation_name(cls.kind, name), sources.edges[name], sources.n_items, top_k=sources.top_k)
            for name in chosen(options.edges, sources.edges, "relations.edges")
        ]

    def reason(self, title: str) -> str:
        """See `RowRelation.reason`."""
        return wording.listed(self.source, title)


def edge_relation(name: str, edges: Edges, items: int, *, top_k: int | None) -> EdgeRelation:
    """R(i, j): the weight of the edge from i to j, each row scaled to a maximum of 1.

    Edges come from outside the training interactions, so cross-fitting does not concern them.

    Args:
        name: of the relation.
        edges: the table.
        items: catalogue size.
        top_k: entries kept for each row; None keeps whole rows.
    """
    matrix = scipy.sparse.coo_array((edges.weight, (edges.source, edges.target)), shape=(items, items)).tocsr()
    peak = np.maximum(matrix.max(axis=1).toarray().ravel(), 1e-12)
    matrix = scipy.sparse.csr_array((scipy.sparse.diags_array(1.0 / peak) @ matrix).astype(np.float32))
    if top_k is None:
        return EdgeRelation(name, items, 0, items, dense=matrix.toarray())
    indices, values = keep_top(matrix, top_k)
    return EdgeRelation(name, items, 0, items, indices=indices, values=values)
