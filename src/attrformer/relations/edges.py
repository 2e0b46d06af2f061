"""Edge tables that the user supplied, as a relation between items."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from attrformer.dataset.dataset import Edges
from attrformer.relations.rows import RowRelation, keep_top


def edge_relation(name: str, edges: Edges, items: int, *, top_k: int | None) -> RowRelation:
    """R(i, j): the weight of the edge from i to j, each row scaled to a maximum of 1.

    Edges come from outside the training interactions, so cross-fitting does not concern them.

    Args:
        name: of the relation.
        edges: the table.
        items: catalogue size.
        top_k: entries kept for each row; None keeps whole rows.
    """
    matrix = sparse.coo_array((edges.weight, (edges.source, edges.target)), shape=(items, items)).tocsr()
    peak = np.maximum(matrix.max(axis=1).toarray().ravel(), 1e-12)
    matrix = sparse.csr_array((sparse.diags_array(1.0 / peak) @ matrix).astype(np.float32))
    if top_k is None:
        return RowRelation(name, items, 0, items, dense=matrix.toarray())
    indices, values = keep_top(matrix, top_k)
    return RowRelation(name, items, 0, items, indices=indices, values=values)
