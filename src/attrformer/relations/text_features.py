"""Texts as hashed n-grams: words, pairs of words, and characters within words, of any language and script."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from attrformer.csr import offsets_of

MOST_CHARACTERS: Final = 20_000
"""Characters of one text that are read; what comes after them is not."""

HALF: Final = 1 << 21
"""Features are hashed to numbers below `2 * HALF`: words and their pairs below `HALF`, characters from there on."""

LENGTHS: Final = (3, 4, 5)
"""Characters that are read together, the blanks before and after a word among them."""

# Odd multipliers, so that each has an inverse modulo 2^64.
_WORD_BASE: Final = 0x9E3779B97F4A7C15
_PAIR: Final = np.uint64(0xD6E8FEB86659FD93)
_PLACES: Final = np.array(
    [0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD1342543DE82EF95, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64
)
_BLANK: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """The n-grams of some texts, as often as they occur.

    Args:
        rows: int64 `[n]`, the text of each.
        features: int64 `[n]`, its number.
    """

    rows: NDArray[np.int64]
    features: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of some texts, in their order.

    Args:
        offsets: int64 `[texts + 1]`, the words of each text.
        features: int64 `[words]`, the number of each; equal words have equal numbers.
        spelled: `[words]`, as they are written.
    """

    offsets: NDArray[np.int64]
    features: NDArray[np.int64]
    spelled: list[str]


class _Separating(dict[int, str]):
    """What each character becomes for `str.translate`, worked out when it first occurs."""

    def __missing__(self, code: int) -> str:
        self[code] = _separated(chr(code))
        return self[code]


def _separated(character: str) -> str:
    """Letters and numbers as they are, ideographs, kana and pictures as words of their own, other signs as blanks."""
    category, name = unicodedata.category(character), unicodedata.name(character, "")
    if name.startswith("VARIATION SELECTOR"):
        return ""
    if category == "So" or _stands_alone(character):
        return f" {character} "
    return character if category[0] in "LMN" else " "


def _stands_alone(character: str) -> bool:
    """Whether a script writes no blanks and a sign is a word, or part of one, of its own."""
    return unicodedata.name(character, "").startswith(("CJK UNIFIED", "HIRAGANA", "KATAKANA"))


_SEPARATING: Final = _Separating()


def split(text: str) -> list[str]:
    """The words of a text as they are written; ideographs, kana and pictures are words of their own.

    Args:
        text: any; what comes after `MOST_CHARACTERS` characters is not read.
    """
    return unicodedata.normalize("NFKC", text[:MOST_CHARACTERS]).translate(_SEPARATING).split()


def joined(words: list[str]) -> str:
    """Words as one text; between ideographs stands no blank.

    Args:
        words: as `split` gives them.
    """
    text = ""
    for word in words:
        close = text[-1:] and _stands_alone(text[-1]) and _stands_alone(word[:1])
        text += word if close or not text else f" {word}"
    return text


def read(texts: list[str]) -> tuple[Words, Terms]:
    """The words and the n-grams of texts; upper and lower case are the same.

    Args:
        texts: `[n]`.
    """
    split_texts = [split(text) for text in texts]
    spelled = [word for words in split_texts for word in words]
    folded = [word.casefold() for word in spelled]
    offsets = offsets_of(np.array([len(words) for words in split_texts], dtype=np.int64))
    # Two blanks between words: no n-gram with a single blank at each end then reaches from one word into another.
    joined = "  ".join(["", *folded, ""])
    characters = np.frombuffer(joined.encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    lengths = np.array([len(word) for word in folded], dtype=np.int64)
    starts = np.cumsum(lengths + 2) - lengths
    hashes = _word_hashes(characters, starts, lengths)
    row = np.repeat(np.arange(len(texts)), np.diff(offsets))
    words = Words(offsets, _number(hashes), spelled)
    neighbours = row[:-1] == row[1:]
    pairs = _number(hashes[:-1] * _PAIR + hashes[1:])[neighbours]
    of_character, grams = _character_grams(characters, starts, lengths)
    rows = np.concatenate([row, row[:-1][neighbours], row[of_character]])
    return words, Terms(rows, np.concatenate([words.features, pairs, grams + HALF]))


def _word_hashes(
    characters: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """One number for each word: the polynomial of its characters modulo 2^64, from running sums over all of them."""
    powers = _powers(_WORD_BASE, len(characters))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(characters * powers, dtype=np.uint64)])
    inverse = _powers(pow(_WORD_BASE, -1, 1 << 64), len(characters))
    hashes: NDArray[np.uint64] = (sums[starts + lengths] - sums[starts]) * inverse[starts]
    return hashes


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _character_grams(
    characters: NDArray[np.uint64], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The word and the number of all n-grams within words, each word with a blank before and after it."""
    found_words, found_features = [], []
    for length in LENGTHS:
        counts = np.maximum(lengths + 3 - length, 0)
        offsets = offsets_of(counts)
        word = np.repeat(np.arange(len(lengths)), counts)
        first = starts[word] - 1 + np.arange(len(word)) - offsets[word]
        total = np.full(len(word), length, dtype=np.uint64)
        for place in range(length):
            total += characters[first + place] * _PLACES[place]
        found_words.append(word)
        found_features.append(_number(total))
    return np.concatenate(found_words), np.concatenate(found_features)


def _number(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Hashes as numbers below `HALF`, every bit of them counting (the finishing steps of splitmix64)."""
    mixed = (hashes ^ (hashes >> np.uint64(30))) * _PLACES[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _PLACES[1]
    numbers: NDArray[np.int64] = ((mixed ^ (mixed >> np.uint64(31))) % np.uint64(HALF)).astype(np.int64)
    return numbers
