"""Search in large catalogues: a graph over item vectors, joined with the items that the relations name."""

from attrformer.retrieval.index import Index
from attrformer.retrieval.options import IndexOptions

__all__ = ["Index", "IndexOptions"]
