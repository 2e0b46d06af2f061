"""From an attribute of items to vectors of length 1, which a `VectorRelation` compares."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.errors import DataError
from attrformer.relations import wording
from attrformer.relations.array_checks import FLOATS, Arrays, require_array

if TYPE_CHECKING:
    from typing_extensions import Self

    from attrformer.relations.config import RelationsConfig

Vectors = NDArray[np.float32]

_BLOCK: Final = 1 << 16
"""Rows that are worked on at a time."""

_SAMPLE: Final = 1 << 16
"""Most rows that the principal components are found of, evenly spread over the catalogue."""

_LEAST: Final = 1e-6
"""What is shorter than this has no direction, but rounding errors."""


class VectorEncoder:
    """How an attribute is turned into vectors, kept so that items that come later are read alike.

    A kind of encoder is a subclass with a `kind`, `reads` and the methods below; `relations.encoders` lists them.
    """

    __slots__ = ()

    kind: ClassVar[str] = ""
    """Name of the kind in saved models; unique."""

    reads: ClassVar[AttributeKind]
    """The kind of attribute that it encodes."""

    @classmethod
    def fit(cls, attribute: Attribute, options: RelationsConfig) -> Self:
        """An encoder for an attribute of the catalogue.

        Args:
            attribute: one row for each item.
            options: of all relations.
        """
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Length d of the encoded vectors."""
        raise NotImplementedError

    @property
    def axes(self) -> tuple[str, ...]:
        """What each coordinate stands for, `[d]`; of two models, those of one name mean the same."""
        raise NotImplementedError

    @property
    def noise(self) -> float:
        """The cosine up to which two vectors may be alike by chance alone; where the learned threshold starts."""
        return 0.0

    def encode(self, attribute: Attribute) -> Vectors:
        """One vector for each row, float32 `[n, d]`, of length 1, or zeros where the value is missing.

        Args:
            attribute: of the kind that `reads` names.

        Raises:
            DataError: it cannot be read as the attribute of training was.
        """
        raise NotImplementedError

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """Arrays by name, and a description that JSON can hold."""
        raise NotImplementedError

    @classmethod
    def from_arrays(cls, arrays: Arrays, described: dict[str, Any]) -> Self:
        """The inverse of `to_arrays`.

        Args:
            arrays: by name.
            described: as `to_arrays` gives it.

        Raises:
            KeyError: an array or a part of the description is missing.
        """
        raise NotImplementedError

    def check(self, name: str) -> None:
        """Looks through an encoder that was read from files.

        Args:
            name: of the column, for the error.

        Raises:
            ValueError: it cannot be that of a fitted model.
        """

    def reason(self, title: str) -> str:
        """The sentence that explains an answer by an item of the history.

        Args:
            title: of the item of the history.
        """
        return wording.reads_like(title) if self.reads is AttributeKind.TEXT else wording.looks_like(title)


@dataclass(frozen=True, slots=True, eq=False)
class PlainVectors(VectorEncoder):
    """Vectors as they are given, such as embeddings of pictures, turned so that their cosine tells items apart.

    Embeddings of one network point mostly into one direction: any two have a cosine far above 0. Without the mean of
    the catalogue, a cosine of 0 means "no more alike than any two items".

    Args:
        mean: float32 `[given]`, the mean direction of the catalogue.
        components: float32 `[d, given]`, the principal components that are kept; `[0, given]` where all coordinates are
            kept as they are.
    """

    kind: ClassVar[str] = "vectors"
    reads: ClassVar[AttributeKind] = AttributeKind.VECTOR

    mean: Vectors
    components: Vectors

    @classmethod
    def fit(cls, attribute: Attribute, options: RelationsConfig) -> PlainVectors:
        """See `VectorEncoder.fit`; wide vectors are reduced to `options.vector_dimensions` principal components."""
        known = _directions(attribute.vectors)
        known = known[known.any(axis=1)]
        given = attribute.vectors.shape[1]
        if not len(known) or given <= options.vector_dimensions:
            return cls(_mean(known, given), np.empty((0, given), np.float32))
        mean = _mean(known, given)
        return cls(mean, principal_components(known - mean, options.vector_dimensions))

    @property
    def width(self) -> int:
        """See `VectorEncoder.width`."""
        return len(self.components) or len(self.mean)

    @property
    def axes(self) -> tuple[str, ...]:
        """See `VectorEncoder.axes`; principal components are those of another catalogue only where all are equal."""
        if not len(self.components):
            return tuple(f"{place} of {len(self.mean)}" for place in range(len(self.mean)))
        mark = hashlib.sha256(np.ascontiguousarray(self.components).tobytes()).hexdigest()[:16]
        return tuple(f"{mark} {place}" for place in range(len(self.components)))

    def encode(self, attribute: Attribute) -> Vectors:
        """See `VectorEncoder.encode`; rows that hold a value that is no finite number count as missing."""
        given, rows = attribute.vectors, len(attribute)
        if not given.size:
            return np.zeros((rows, self.width), np.float32)
        if given.shape[1] != len(self.mean):
            raise DataError(
                f"the vectors have {given.shape[1]:,} numbers, and those of training have {len(self.mean):,}",
                fix="Give vectors that were made in the same way as those of training",
                source="items",
                column=attribute.name,
            )
        found = np.empty((rows, self.width), np.float32)
        for start in range(0, rows, _BLOCK):
            found[start : start + _BLOCK] = self._encoded(given[start : start + _BLOCK])
        return found

    def _encoded(self, vectors: Vectors) -> Vectors:
        directions = _directions(vectors)
        moved = (directions - self.mean) * directions.any(axis=1, keepdims=True)
        return unit_rows(moved @ self.components.T if len(self.components) else moved)

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `VectorEncoder.to_arrays`."""
        return {"mean": self.mean, "components": self.components}, {}

    @classmethod
    def from_arrays(cls, arrays: Arrays, described: dict[str, Any]) -> PlainVectors:
        """See `VectorEncoder.from_arrays`."""
        return cls(arrays["mean"], arrays["components"])

    def check(self, name: str) -> None:
        """See `VectorEncoder.check`."""
        require_array(f"mean of '{name}'", self.mean, FLOATS, (-1,), least=-1.001, most=1.001)
        shape = (-1, len(self.mean))
        require_array(f"components of '{name}'", self.components, FLOATS, shape, least=-1.001, most=1.001)


def unit_rows(vectors: NDArray[Any]) -> Vectors:
    """Rows of length 1, float32; those without a direction become zeros.

    Args:
        vectors: finite, `[n, d]`.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Vectors = np.where(length > _LEAST, vectors / np.maximum(length, _LEAST), 0.0).astype(np.float32)
    return found


def principal_components(centred: Vectors, count: int) -> Vectors:
    """The directions with the largest variance, float32 `[<= count, d]`, the largest first, each of length 1.

    Args:
        centred: `[n, d]`, of mean 0; at least one row.
        count: most directions; those without variance are left out.
    """
    rows = centred[np.linspace(0, len(centred) - 1, min(_SAMPLE, len(centred))).astype(np.int64)]
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), 4096):
        block = rows[start : start + 4096].astype(np.float64)
        covariance += block.T @ block
    variance, directions = np.linalg.eigh(covariance)
    kept = np.flatnonzero(variance > max(variance[-1], 0.0) * _LEAST**2)[::-1][:count]
    found = directions[:, kept].T
    # A direction and its opposite are the same component; one of them is chosen, so that the result is unique.
    peak = np.abs(found).argmax(axis=1)[:, None]
    signs = np.sign(np.take_along_axis(found, peak, 1))
    chosen: Vectors = (found * signs).astype(np.float32)
    return chosen


def _directions(vectors: Vectors) -> Vectors:
    """Rows of length 1, zeros where one is missing, has no direction, or holds what is no finite number."""
    finite = np.isfinite(vectors).all(axis=1, keepdims=True)
    kept = np.where(finite, vectors, 0.0)
    # Divided by the largest first, since the square of a large number is infinite and that of a small one is 0.
    largest = np.abs(kept).max(axis=1, keepdims=True, initial=0.0)
    return unit_rows(kept / np.where(largest > 0, largest, 1.0))


def _mean(known: Vectors, given: int) -> Vectors:
    if not len(known):
        return np.zeros(given, np.float32)
    mean: Vectors = known.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
