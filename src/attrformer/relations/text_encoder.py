"""Texts as vectors, without a language and without a download: n-grams, tf-idf, and a projection to few dimensions."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import scipy
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.errors import ConfigurationError
from attrformer.relations import text_features
from attrformer.relations.array_checks import FLOATS, INTEGERS, Arrays, is_count, require_array, require_that
from attrformer.relations.vector_encoder import VectorEncoder, unit_rows

if TYPE_CHECKING:
    from attrformer.relations.config import RelationsConfig

MOST_FEATURES: Final = 10_000
"""Features that are kept of words and pairs of words, and as many of characters: the commonest."""

MOST_FITTED: Final = 100_000
"""Texts that an encoder is fitted to; of more, an even sample."""

MOST_WORDS: Final = 64
"""Words of one text that are kept for explanations."""

LATENT_SHARE: Final = 4
"""One of so many dimensions is a singular vector, the others are random."""

MOST_NOISE: Final = 0.5
"""Above this too little would be left to learn from."""

_BLOCK: Final = 500_000
_SPACE: Final = 2 * text_features.HALF


@dataclass(frozen=True, slots=True, eq=False)
class TextEncoder(VectorEncoder):
    """From texts to unit vectors.

    Words, pairs of words and character n-grams that at least two texts hold are weighted by sublinear tf-idf, words and
    characters alike, and projected: a quarter of the dimensions are the first right singular vectors, which say what
    texts are about, and the others a random projection of what these leave over. Singular vectors alone would lose the
    rare words that sequels share (docs/attributes.md).

    Args:
        features: int32 `[f]`, ascending, the n-grams that count; see `text_features`.
        idf: float32 `[f]`, log of the number of texts divided by those that hold the feature.
        projection: float32 `[f, d]`.
        words: the word that each feature of words is, "" for pairs of words; one for each of the first features.
        random: how many of the dimensions are random ones.
    """

    kind: ClassVar[str] = "text"
    reads: ClassVar[AttributeKind] = AttributeKind.TEXT

    features: NDArray[np.int32]
    idf: NDArray[np.float32]
    projection: NDArray[np.float32]
    words: tuple[str, ...]
    random: int = 0

    @property
    def width(self) -> int:
        """See `VectorEncoder.width`."""
        return int(self.projection.shape[1])

    @property
    def noise(self) -> float:
        """See `VectorEncoder.noise`: twice the standard deviation that the random dimensions give to a cosine."""
        return min(2.0 / math.sqrt(self.random), MOST_NOISE) if self.random else 0.0

    @property
    def axes(self) -> tuple[str, ...]:
        """See `VectorEncoder.axes`; those of two models mean the same only where all features are the same."""
        mark = hashlib.sha256(self.features.tobytes() + self.projection.tobytes()).hexdigest()[:16]
        return tuple(f"{mark} {place}" for place in range(self.width))

    @classmethod
    def fit(cls, attribute: Attribute, options: RelationsConfig) -> TextEncoder:
        """See `VectorEncoder.fit`; at most `options.text_dimensions` dimensions."""
        return cls.of_texts(attribute.texts, options.text_dimensions)

    @classmethod
    def of_texts(cls, texts: Sequence[str], dimensions: int) -> TextEncoder:
        """The encoder of some texts; the same for the same texts.

        Args:
            texts: "" where missing.
            dimensions: most dimensions of a vector; fewer where the texts need fewer.
        """
        known = [text for text in texts if text]
        sample = known[:: -(-len(known) // MOST_FITTED)] if known else []
        found, frequency, spelled, count = _counted(sample)
        shared = (frequency >= 2) & (frequency < count)
        found, frequency = found[shared], frequency[shared]
        half = text_features.HALF
        kept = np.concatenate([_commonest(frequency, found < half), _commonest(frequency, found >= half)])
        features = found[kept].astype(np.int32)
        idf = np.log(count / frequency[kept]).astype(np.float32)
        names = tuple(spelled.get(feature, "") for feature in features[features < half].tolist())
        unprojected = cls(features, idf, np.empty((len(features), 0), np.float32), names)
        weighted = [unprojected.weighted(block) for block in _blocks(sample)]
        projection, random = (
            _projection(scipy.sparse.vstack(weighted, "csr"), dimensions) if weighted else (_nothing(), 0)
        )
        return cls(features, idf, projection, names, random)

    def encode(self, attribute: Attribute) -> NDArray[np.float32]:
        """See `VectorEncoder.encode`; zeros also where a text holds nothing that training knew."""
        if attribute.vectors.size:
            raise ConfigurationError(
                f"The texts of '{attribute.name}' were read by the encoder that is built in. Leave the column out of "
                "encoders."
            )
        if not attribute.texts:
            return np.zeros((len(attribute), self.width), np.float32)
        vectors = [self.weighted(block) @ self.projection for block in _blocks(attribute.texts)]
        return unit_rows(np.concatenate([np.empty((0, self.width), np.float32), *vectors]))

    def weighted(self, texts: Sequence[str]) -> scipy.sparse.csr_array:
        """Sublinear tf-idf of texts, rows of norm 1 or 0, float32 `[n, f]`; words and characters count alike.

        Args:
            texts: `[n]`.
        """
        _, terms = text_features.read(list(texts))
        held, times = np.unique(terms.rows * _SPACE + terms.features, return_counts=True)
        rows, features = held // _SPACE, held % _SPACE
        column = np.searchsorted(self.features, features)
        known = np.zeros(len(held), dtype=bool)
        inside = column < len(self.features)
        known[inside] = self.features[column[inside]] == features[inside]
        rows, column, times = rows[known], column[known], times[known]
        values = (1 + np.log(times)) * self.idf[column]
        half = 2 * rows + (column >= len(self.words))
        norms = np.sqrt(np.bincount(half, weights=values**2, minlength=2 * len(texts)))
        values = values / np.maximum(norms[half], 1e-12)
        both = np.sqrt(np.bincount(rows, weights=values**2, minlength=len(texts)))
        weights = (values / np.maximum(both[rows], 1e-12)).astype(np.float32)
        return scipy.sparse.csr_array((weights, (rows, column)), shape=(len(texts), len(self.features)))

    def known_words(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The words of texts in their order, for `shared_words`.

        Args:
            texts: `[n]`; the first `MOST_WORDS` words of each.

        Returns:
            int64 offsets `[n + 1]`, and int32 places in `words`, -1 for a word that is not kept.
        """
        lengths, found = [0], [np.empty(0, dtype=np.int32)]
        places = {int(self.features[place]): place for place, word in enumerate(self.words) if word}
        for block in _blocks(texts):
            words, _ = text_features.read(list(block))
            for start, end in zip(words.offsets[:-1].tolist(), words.offsets[1:].tolist(), strict=True):
                own = words.features[start : min(end, start + MOST_WORDS)].tolist()
                lengths.append(len(own))
                found.append(np.array([places.get(feature, -1) for feature in own], dtype=np.int32))
        return np.cumsum(lengths), np.concatenate(found)

    def shared_words(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> str:
        """The words that two texts have in common one after the other, where they are rarest.

        "" where there are none, or only such as "the", which say little.

        Args:
            first: int32, the words of one text as `known_words` gives them.
            second: int32, those of the other.
        """
        best, run = 0.0, np.empty(0, dtype=np.int32)
        sums = np.zeros(len(second) + 1)
        lengths = np.zeros(len(second) + 1, dtype=np.int64)
        for place, word in enumerate(first.tolist()):
            same = (second == word) & (word >= 0)
            sums = np.concatenate([[0.0], np.where(same, sums[:-1] + self.idf[word], 0.0)])
            lengths = np.concatenate([[0], np.where(same, lengths[:-1] + 1, 0)])
            end = int(sums.argmax())
            if sums[end] > best + 1e-6:
                best, run = float(sums[end]), first[place + 1 - int(lengths[end]) : place + 1]
        if best < self.idf.max(initial=0.0) / 2:
            return ""
        return text_features.joined([self.words[word] for word in run.tolist()])

    def to_arrays(self) -> tuple[Arrays, dict[str, Any]]:
        """See `VectorEncoder.to_arrays`."""
        arrays = {"features": self.features, "idf": self.idf, "projection": self.projection}
        return arrays, {"words": list(self.words), "random": self.random}

    @classmethod
    def from_arrays(cls, arrays: Arrays, described: dict[str, Any]) -> TextEncoder:
        """See `VectorEncoder.from_arrays`."""
        words, random = tuple(described["words"]), described["random"]
        return cls(arrays["features"], arrays["idf"], arrays["projection"], words, random)

    def check(self, name: str) -> None:
        """See `VectorEncoder.check`."""
        count = len(self.features)
        require_array(f"text features of '{name}'", self.features, INTEGERS, (-1,), least=0, most=_SPACE - 1)
        require_that(bool((np.diff(self.features) > 0).all()), f"text features of '{name}' are not ascending")
        require_array(f"text weights of '{name}'", self.idf, FLOATS, (count,), least=0)
        require_array(f"text projection of '{name}'", self.projection, FLOATS, (count, -1))
        require_that(self.width >= 1, f"text projection of '{name}' has no dimension")
        require_that(is_count(self.random) and self.random <= self.width, f"'{name}' has other random dimensions")
        words = int((self.features < text_features.HALF).sum())
        texts = all(isinstance(word, str) for word in self.words)
        require_that(texts and len(self.words) == words, f"words of '{name}': the number is another one")


def _counted(texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, str], int]:
    """The features of texts, ascending, how many hold each, how words are spelled, and how many texts hold any."""
    frequency, spelled, count = np.zeros(_SPACE, np.int64), Counter[tuple[int, str]](), 0
    for words, terms in map(text_features.read, _blocks(texts)):
        # With the counts NumPy sorts; without them it hashes, which takes ten times as long here.
        held, _ = np.unique(terms.rows * _SPACE + terms.features, return_counts=True)
        np.add.at(frequency, held % _SPACE, 1)
        spelled.update(zip(words.features.tolist(), words.spelled, strict=True))
        count += int(np.count_nonzero(np.diff(words.offsets)))
    # The commonest spelling comes last and stays.
    found = np.flatnonzero(frequency)
    return found, frequency[found], {feature: word for (feature, word), _ in reversed(spelled.most_common())}, count


def _commonest(frequency: NDArray[np.int64], allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Places of the features that most texts hold, ascending, at most `MOST_FEATURES`; of equal ones the earlier."""
    held = np.flatnonzero(allowed)
    return np.sort(held[np.argsort(-frequency[held], kind="stable")[:MOST_FEATURES]])


def _projection(weighted: scipy.sparse.csr_array, dimensions: int) -> tuple[NDArray[np.float32], int]:
    """What vectors are made with, float32 `[features, d]`, and how many of its dimensions are random.

    Args:
        weighted: tf-idf of the texts.
        dimensions: most of d.
    """
    features = weighted.shape[1]
    if min(weighted.shape) <= dimensions:
        if features == 0:
            return _nothing(), 0
        # All of the space in which the texts lie, so that nothing is lost.
        values, vectors = np.linalg.svd(weighted.toarray().astype(np.float64), full_matrices=False)[1:]
        return _signed(vectors[values > 1e-6 * values.max()].T), 0
    latent = max(dimensions // LATENT_SHARE, 1)
    start = np.ones(min(weighted.shape))
    values, vectors = scipy.sparse.linalg.svds(weighted.astype(np.float64), k=latent, v0=start, solver="arpack")[1:]
    basis = _signed(vectors[np.argsort(-values, kind="stable")].T)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(features, dimensions - latent))
    random = signs / np.sqrt(max(dimensions - latent, 1))
    return np.hstack([basis, random - basis @ (basis.T @ random)]).astype(np.float32), dimensions - latent


def _nothing() -> NDArray[np.float32]:
    """What projects texts that share nothing: they become vectors of one 0."""
    return np.zeros((0, 1), dtype=np.float32)


def _signed(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    """The same directions with the largest entry of each above 0, so that they do not depend on the solver."""
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    signed: NDArray[np.float32] = (vectors * np.where(signs == 0, 1.0, signs)).astype(np.float32)
    return signed


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Texts in their order, so many at a time that their n-grams fit into memory."""
    block, size = list[str](), 0
    for text in texts:
        block.append(text)
        size += min(len(text), text_features.MOST_CHARACTERS) + 1
        if size > _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block
