"""Columns of the sample of the kinds that are not in it by default: vectors, text, paths of levels, tags and scores."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from attrformer import columns
from attrformer.data.sample_catalogue import CATEGORIES
from attrformer.data.sample_shop import Shop

IMAGE: Final = "image"
DESCRIPTION: Final = "description"
PATH: Final = "path"
MOODS: Final = "moods"

SAMPLE_KINDS: Final = {DESCRIPTION: "text", PATH: "hierarchy", MOODS: "weighted", columns.TITLE: "text"}
"""Kinds of the columns that `with_kinds` adds, to be declared; those of `image` are inferred."""

_SIZE: Final = 8
_MOODS: Final = ("calm", "bold", "playful", "plain", "warm")
_USES: Final = ("everyday use", "a small home", "the whole family", "a gift", "travel")


def with_kinds(generator: np.random.Generator, items: pl.DataFrame, shop: Shop) -> pl.DataFrame:
    """The table of items with a column of each further kind; all of them tell the category, images the brand as well.

    Args:
        generator: of the columns.
        items: of the sample.
        shop: the codes behind it.
    """
    count = len(items)
    of_category = 2 * generator.random((len(CATEGORIES), _SIZE)) - 1
    of_brand = generator.random((shop.brand_count, _SIZE)) - 0.5
    noise = 0.5 * generator.random((count, _SIZE)) - 0.25
    images = of_category[shop.category] + of_brand[shop.brand] + noise
    use = (generator.random(count) * len(_USES)).astype(np.int64)
    scores = np.round(generator.random((count, len(_MOODS))), 2)
    # Each category has a mood of its own.
    scores[np.arange(count), shop.category % len(_MOODS)] += 1.0
    words = [
        f"{CATEGORIES[category].product} for {_USES[place]}, from our {CATEGORIES[category].department.lower()} range"
        for category, place in zip(shop.category.tolist(), use.tolist(), strict=True)
    ]
    return items.with_columns(
        pl.Series(IMAGE, images.astype(np.float32), dtype=pl.Array(pl.Float32, _SIZE)),
        pl.Series(DESCRIPTION, words),
        pl.Series(PATH, [CATEGORIES[category].name for category in shop.category.tolist()]),
        pl.Series(MOODS, [dict(zip(_MOODS, row, strict=True)) for row in scores.tolist()]),
    )
