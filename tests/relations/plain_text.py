"""What `TextEncoder` weighs, written plainly with texts in place of numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from attrformer.data.attributes import Attribute, AttributeKind
from attrformer.relations.text_features import LENGTHS, split


def text_attribute(*texts: str, name: str = "title") -> Attribute:
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    return Attribute(name, AttributeKind.TEXT, offsets, np.empty(0, np.int32), (), np.empty(0), texts=texts)


def word_terms(text: str) -> Counter[str]:
    """Words and pairs of words of a text."""
    words = [word.casefold() for word in split(text)]
    return Counter([*words, *(f"{one} {other}" for one, other in pairwise(words))])


def character_terms(text: str) -> Counter[str]:
    """Character n-grams within the words of a text, a blank before and after each."""
    padded = [f" {word.casefold()} " for word in split(text)]
    return Counter(
        word[start : start + length] for word in padded for length in LENGTHS for start in range(len(word) - length + 1)
    )


def cosines(texts: Sequence[str]) -> NDArray[np.float64]:
    """Cosine of the sublinear tf-idf of every two texts, words and characters counting alike, `[n, n]`."""
    parts = [_normed(_weighted([term(text) for text in texts])) for term in (word_terms, character_terms)]
    rows = _normed(np.hstack(parts))
    return rows @ rows.T


def _weighted(counts: list[Counter[str]]) -> NDArray[np.float64]:
    known = sum(1 for count in counts if count)
    frequency = Counter(term for count in counts for term in count)
    shared = sorted(term for term, held in frequency.items() if 2 <= held < known)
    return np.array(
        [
            [(1 + math.log(count[term])) * math.log(known / frequency[term]) if count[term] else 0.0 for term in shared]
            for count in counts
        ]
    ).reshape(len(counts), len(shared))


def _normed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)
