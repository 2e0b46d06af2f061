"""Vectors, texts and places of users put into groups by k-means, so that they are read as a categorical attribute."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of
from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.errors import DataError
from attrformer.relations import wording
from attrformer.relations.array_checks import FLOATS, require_array
from attrformer.relations.sphere import degrees, unit_vectors
from attrformer.relations.text_encoder import TextEncoder
from attrformer.relations.vector_encoder import unit_rows

GROUPED: Final = frozenset({AttributeKind.VECTOR, AttributeKind.TEXT, AttributeKind.LOCATION})
"""Kinds whose values are no codes and no single numbers."""

TEXT_DIMENSIONS: Final = 64

MOST_FITTED: Final = 50_000
"""Users whose values the groups are made of; of more, an even sample."""

_STEPS: Final = 30
_STARTS: Final = 4
_WORDS_NAMED: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Groups of similar values; a value belongs to the group with the nearest centre.

    Args:
        centres: float32 `[groups, d]`, of unit vectors; the group of most users first.
        texts: how texts become vectors; None for other kinds.
    """

    centres: NDArray[np.float32]
    texts: TextEncoder | None = None

    def __len__(self) -> int:
        return len(self.centres)

    @classmethod
    def fit(cls, attribute: Attribute, most: int) -> Clusters:
        """Groups of the values of an attribute; the same for the same values.

        Args:
            attribute: of one of the kinds in `GROUPED`.
            most: groups; fewer where there are fewer different values.
        """
        texts = None
        if attribute.kind is AttributeKind.TEXT:
            texts = TextEncoder.of_texts(attribute.texts, TEXT_DIMENSIONS)
        points = _points(attribute, texts)
        points = points[points.any(axis=1)]
        sample = points[:: max(-(-len(points) // MOST_FITTED), 1)]
        return cls(_centres(sample, most), texts)

    def groups(self, attribute: Attribute) -> NDArray[np.int64]:
        """The group of each value, int64 `[n]`; -1 where it is missing.

        Args:
            attribute: of the kind that the groups were made of.

        Raises:
            DataError: its vectors are of another length.
        """
        points = _points(attribute, self.texts)
        missing = ~points.any(axis=1)
        if missing.all() or not len(self.centres):
            return np.full(len(points), -1, dtype=np.int64)
        if points.shape[1] != self.centres.shape[1]:
            raise DataError(
                f"the vectors have {points.shape[1]:,} numbers, those of training had {self.centres.shape[1]:,}",
                fix="Give vectors that were made in the same way",
                column=attribute.name,
            )
        return np.where(missing, -1, _nearest(points, self.centres))

    def grouped(self, attribute: Attribute) -> Attribute:
        """An attribute as a categorical one, whose values are the groups.

        Args:
            attribute: as for `groups`.
        """
        groups, labels = self.groups(attribute), self.labels(attribute.kind)
        codes = groups[groups >= 0].astype(np.int32)
        return Attribute(attribute.name, AttributeKind.CATEGORICAL, offsets_of(groups >= 0), codes, labels, np.empty(0))

    def labels(self, kind: AttributeKind) -> tuple[str, ...]:
        """What the groups are called: by their number, texts also by words, places by where they are.

        Args:
            kind: of the attribute.
        """
        if kind is AttributeKind.LOCATION and len(self):
            return tuple(wording.near(*place) for place in degrees(self.centres).tolist())
        return tuple(wording.group(number + 1, self._words(number)) for number in range(len(self)))

    def exact(self) -> tuple[str, ...]:
        """Labels that are the same in two models only where the groups are."""
        return tuple(f"{zlib.crc32(centre.tobytes()):08x}" for centre in self.centres)

    def _words(self, number: int) -> list[str]:
        """The words that speak most for a group of texts."""
        if self.texts is None:
            return []
        words = self.texts.words
        loud = (self.texts.projection[: len(words)] @ self.centres[number]) * self.texts.idf[: len(words)]
        loud *= np.array([bool(word) for word in words], dtype=bool)
        strongest = np.argsort(-loud, kind="stable")[:_WORDS_NAMED]
        return [words[place] for place in strongest.tolist() if loud[place] > loud.max() / 4]

    def to_arrays(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays by name, and what else is stored, as JSON can hold it."""
        if self.texts is None:
            return {"centres": self.centres}, {}
        arrays, described = self.texts.to_arrays()
        return {"centres": self.centres, **{f"text/{name}": array for name, array in arrays.items()}}, described

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], described: dict[str, Any]) -> Clusters:
        """The inverse of `to_arrays`.

        Raises:
            KeyError: an array or a part of the description is missing.
        """
        own = {name.removeprefix("text/"): array for name, array in arrays.items() if name.startswith("text/")}
        return cls(arrays["centres"], TextEncoder.from_arrays(own, described) if own else None)

    def check(self, name: str, kind: AttributeKind) -> None:
        """Looks through what was read from files.

        Args:
            name: of the column, for the error.
            kind: of the column.

        Raises:
            ValueError: an array is no such one.
        """
        if self.texts is not None:
            self.texts.check(name)
        width = 3 if kind is AttributeKind.LOCATION else -1 if self.texts is None else self.texts.width
        require_array(f"groups of '{name}'", self.centres, FLOATS, (-1, width))


def _points(attribute: Attribute, texts: TextEncoder | None) -> NDArray[np.float32]:
    """Values as unit vectors, 0 where missing."""
    if texts is not None:
        return texts.encode(attribute)
    if not attribute.vectors.size:
        return np.zeros((len(attribute), 1), np.float32)
    if attribute.kind is AttributeKind.LOCATION:
        return np.nan_to_num(unit_vectors(attribute.vectors)).astype(np.float32)
    return unit_rows(np.nan_to_num(attribute.vectors, nan=0.0, posinf=0.0, neginf=0.0))


def _centres(points: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """K-means from several starts, of which the one with the smallest distances counts; the largest group first."""
    count = min(most, len(np.unique(points, axis=0)))
    if count == 0:
        return np.zeros((0, points.shape[1]), dtype=np.float32)
    random = np.random.default_rng(0)
    tried = [_moved(points, _spread(points, count, random)) for _ in range(_STARTS)]
    centres = min(tried, key=lambda centres: float(((points - centres[_nearest(points, centres)]) ** 2).sum()))
    sizes = np.bincount(_nearest(points, centres), minlength=count)
    order = np.argsort(-sizes, kind="stable")
    return centres[order[sizes[order] > 0]]


def _moved(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centres moved to the mean of the points nearest to them, until these stay the same."""
    groups = np.full(len(points), -1)
    for _ in range(_STEPS):
        nearest = _nearest(points, centres)
        if np.array_equal(nearest, groups):
            break
        groups = nearest
        sizes = np.bincount(groups, minlength=len(centres))
        sums = np.zeros(centres.shape)
        np.add.at(sums, groups, points)
        held = sizes > 0
        centres[held] = (sums[held] / sizes[held, None]).astype(np.float32)
    return centres


def _spread(points: NDArray[np.float32], count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Points to begin with, drawn with a chance that grows with the square of the distance to those drawn before."""
    drawn = [int(random.integers(len(points)))]
    far = np.full(len(points), np.inf)
    while len(drawn) < count:
        far = np.minimum(far, ((points - points[drawn[-1]]).astype(np.float64) ** 2).sum(axis=1))
        total = np.cumsum(far)
        drawn.append(int(np.searchsorted(total, random.random() * total[-1], side="right").clip(0, len(points) - 1)))
    return points[drawn].copy()


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """The nearest centre of each point, int64 `[n]`; of equally near ones the first."""
    closeness = points @ centres.T - (centres**2).sum(axis=1) / 2
    nearest: NDArray[np.int64] = closeness.argmax(axis=1)
    return nearest
