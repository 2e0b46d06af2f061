"""Approximate search for the largest products of a hidden state with the item vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.retrieval.options import IndexOptions
from attrformer.retrieval.ordering import like_by_like

_CHUNK = 20_000


class ContentGraph:
    """A graph over the item vectors, linked by angle and searched by product.

    Linked by product, which is no distance, items of small norm are left out of each other's reach, and many of the
    largest products are never found however long one searches. Links by angle lead everywhere; following them by
    product then ends at the largest ones.

    Args:
        graph: a usearch index.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._graph.metric = "ip"

    @classmethod
    def build(
        cls,
        table: NDArray[np.float32],
        options: IndexOptions,
        threads: int = 1,
        progress: Callable[[int], None] | None = None,
    ) -> ContentGraph:
        """Links all items; vectors of zeros, whose product is 0 with everything, are left out.

        Args:
            table: float32 `[items, d]`.
            options: shape of the graph.
            threads: that link items; with one the graph is the same each time.
            progress: told how many items are linked.

        Raises:
            ConfigurationError: usearch is not installed.
        """
        graph = _usearch().Index(
            ndim=table.shape[1],
            metric="cos",
            dtype=options.number,
            connectivity=options.connectivity,
            expansion_add=options.expansion_add,
        )
        items = np.flatnonzero(np.abs(table).max(axis=1, initial=0.0) > 0)
        # What is linked one after another looks at the same items, which then are in the cache.
        items = items[like_by_like(table[items])]
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            graph.add(chunk.astype(np.uint64), table[chunk], threads=threads)
            if progress is not None:
                progress(start + len(chunk))
        return cls(graph)

    def search(self, hidden: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """Items with large products; by one thread at a time.

        Args:
            hidden: float32 `[d]`.
            count: items wanted.

        Returns:
            int64 codes, about the largest product first, without repeats.
        """
        if not len(self._graph):
            return np.empty(0, dtype=np.int64)
        self._graph.expansion_search = count
        found: NDArray[np.int64] = self._graph.search(hidden, count, threads=1).keys.astype(np.int64)
        return found

    @property
    def memory(self) -> int:
        """Bytes that the graph takes."""
        return int(self._graph.memory_usage)

    def save(self, path: Path) -> None:
        """Writes the graph into one file.

        Raises:
            OSError: it cannot be written.
        """
        try:
            self._graph.save(str(path))
        except RuntimeError as error:
            raise OSError(str(error)) from error

    @classmethod
    def load(cls, path: Path) -> ContentGraph:
        """Reads what `save` wrote.

        Raises:
            ConfigurationError: usearch is not installed.
            CheckpointError: the file is missing or damaged.
        """
        usearch = _usearch()
        try:
            graph = usearch.Index.restore(str(path))
        except (RuntimeError, ValueError, OSError) as error:
            raise CheckpointError(f"{path} cannot be read ({error}). Make the index again.") from error
        if graph is None:
            raise CheckpointError(f"{path} is missing or holds no graph. Make the index again.")
        return cls(graph)


def _usearch() -> Any:
    try:
        from usearch import index
    except ImportError as error:
        raise ConfigurationError(
            "The approximate index needs usearch. Install it: pip install 'attrformer[ann]', or use method=exact."
        ) from error
    return index
