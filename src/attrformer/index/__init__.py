"""Search in large catalogues: a graph over item vectors, joined with the items that the relations name."""

from attrformer.index.index import Index
from attrformer.index.options import IndexOptions

__all__ = ["Index", "IndexOptions"]
