"""The embedded sample: a small shop from a seeded generator, whose relations are known because they are planted.

What is planted, and how strongly, stands in `SampleStrengths`; `SampleTruth` holds the planted
pairs. Regions and prices influence nothing: they show what a relation without signal looks like.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from attrformer import columns
from attrformer.data.dataset import Dataset
from attrformer.data.sample_catalogue import (
    ACCESSORY_OF,
    AGE_BANDS,
    CATEGORIES,
    REGIONS,
    brand_names,
    item_titles,
)
from attrformer.data.sample_kinds import with_kinds
from attrformer.data.sample_shop import (
    PREFERRED_CATEGORIES,
    SHORTEST_HISTORY,
    TRANSITION_WEIGHTS,
    SampleStrengths,
    Shop,
    histories,
    history_lengths,
    make_shop,
    times,
)
from attrformer.errors import ConfigurationError

AGE_BAND: Final = "age_band"
REGION: Final = "region"
BRAND: Final = "brand"
CATEGORY: Final = "category"
PRICE: Final = "price"
SOURCE_CATEGORY: Final = "source_category"
TARGET_CATEGORY: Final = "target_category"

__all__ = ["Sample", "SampleStrengths", "SampleTruth", "make_sample", "sample_dataset"]


@dataclass(frozen=True, slots=True, eq=False)
class SampleTruth:
    """What was planted, in external ids and names, for comparison with what a model recovers.

    Args:
        transitions: source_category, target_category, weight (the weights of a source sum to 1).
        age_categories: age_band, category: what each band prefers.
        accessories: source_item_id (main product), target_item_id (its accessory).
        accessory_categories: source_category, target_category: the category pairs that accessories imply.
        strengths: how often each relation decides.
    """

    transitions: pl.DataFrame
    age_categories: pl.DataFrame
    accessories: pl.DataFrame
    accessory_categories: pl.DataFrame
    strengths: SampleStrengths


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The three tables of the shop and the truth behind them.

    Args:
        interactions: user_id, item_id, timestamp (seconds since 1970); users in order, oldest first.
        items: item_id, title, brand, category (department and category within it, a list), price.
        users: user_id, age_band, region.
        truth: what was planted.
    """

    interactions: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame
    truth: SampleTruth


def make_sample(
    seed: int = 0,
    users: int = 2000,
    items: int = 1000,
    *,
    interactions_per_user: float = 12.0,
    brands: int = 60,
    strengths: SampleStrengths | None = None,
    every_kind: bool = False,
) -> Sample:
    """Make the shop; the same arguments always give the same tables.

    Args:
        seed: of the generator.
        users: number of users.
        items: number of items, at least one for each of the forty categories.
        interactions_per_user: expected length of a history; no history is shorter than five.
        brands: number of brands to draw from; the smallest may end up without an item.
        strengths: of the planted relations.
        every_kind: whether items have columns of the other kinds of attributes as well: image (vectors), description,
            path (levels) and moods (tags with scores); `sample_kinds.SAMPLE_KINDS` declares them.

    Returns:
        Tables and truth.

    Raises:
        ConfigurationError: a size that no shop can have.
    """
    _check_sizes(users, items, interactions_per_user, brands)
    strengths = strengths if strengths is not None else SampleStrengths()
    generator = np.random.Generator(np.random.PCG64(seed))
    shop = make_shop(generator, items, brands)
    item_table = _item_table(generator, shop)
    age = (generator.random(users) * len(AGE_BANDS)).astype(np.int64)
    region = (generator.random(users) * len(REGIONS)).astype(np.int64)
    user_ids = _ids("user", users)
    user_table = pl.DataFrame({columns.USER: user_ids, AGE_BAND: _pick(AGE_BANDS, age), REGION: _pick(REGIONS, region)})
    lengths = history_lengths(generator, users, interactions_per_user)
    bought = histories(generator, shop, age, lengths, strengths)
    interactions = pl.DataFrame(
        {
            columns.USER: user_ids.gather(np.repeat(np.arange(users), lengths)),
            columns.ITEM: item_table[columns.ITEM].gather(bought),
            columns.TIMESTAMP: times(generator, lengths),
        }
    )
    if every_kind:
        item_table = with_kinds(generator, item_table, shop)
    return Sample(interactions, item_table, user_table, _truth(shop, item_table[columns.ITEM], strengths))


def sample_dataset(seed: int = 0) -> Dataset:
    """The default shop as a dataset named "sample", with its whole catalogue; the planted truth is not in it."""
    sample = make_sample(seed)
    return Dataset.from_frames(
        sample.interactions, items=sample.items, users=sample.users, name="sample", catalogue="all"
    )


def _check_sizes(users: int, items: int, interactions_per_user: float, brands: int) -> None:
    problems = {
        f"users is {users}. Ask for at least 1": users < 1,
        f"items is {items}. Ask for at least {len(CATEGORIES)}, one for each category": items < len(CATEGORIES),
        f"interactions_per_user is {interactions_per_user}. Ask for at least {SHORTEST_HISTORY}": not (
            SHORTEST_HISTORY <= interactions_per_user < math.inf
        ),
        f"brands is {brands}. Ask for at least 1": brands < 1,
    }
    for problem, present in problems.items():
        if present:
            raise ConfigurationError(f"The sample cannot be made: {problem}.")


def _item_table(generator: np.random.Generator, shop: Shop) -> pl.DataFrame:
    count = len(shop.category)
    # Sum of twelve uniforms less six: close to normal, from additions only.
    normal = generator.random((count, 12)).cumsum(axis=1)[:, -1] - 6
    middle = np.array([entry.price for entry in CATEGORIES])[shop.category]
    paths = pl.Series([[entry.department, entry.name] for entry in CATEGORIES])
    names = brand_names(shop.brand_count)
    return pl.DataFrame(
        {
            columns.ITEM: _ids("item", count),
            columns.TITLE: item_titles(_pick(names, shop.brand), shop.category, generator.random(count)),
            BRAND: _pick(names, shop.brand),
            CATEGORY: paths.gather(shop.category),
            PRICE: np.round(middle * np.exp(0.5 * normal), 2),
        }
    )


def _truth(shop: Shop, item_ids: pl.Series, strengths: SampleStrengths) -> SampleTruth:
    names = [entry.name for entry in CATEGORIES]
    sources = np.repeat(np.arange(len(names)), len(TRANSITION_WEIGHTS))
    mains = np.flatnonzero(shop.accessory >= 0)
    return SampleTruth(
        transitions=pl.DataFrame(
            {
                SOURCE_CATEGORY: _pick(names, sources),
                TARGET_CATEGORY: _pick(names, shop.targets.ravel()),
                columns.WEIGHT: np.tile(TRANSITION_WEIGHTS, len(names)),
            }
        ),
        age_categories=pl.DataFrame(
            {
                AGE_BAND: _pick(AGE_BANDS, np.repeat(np.arange(len(AGE_BANDS)), PREFERRED_CATEGORIES)),
                CATEGORY: _pick(names, shop.preferred.ravel()),
            }
        ),
        accessories=pl.DataFrame(
            {columns.SOURCE_ITEM: item_ids.gather(mains), columns.TARGET_ITEM: item_ids.gather(shop.accessory[mains])}
        ),
        accessory_categories=pl.DataFrame(
            {SOURCE_CATEGORY: list(ACCESSORY_OF), TARGET_CATEGORY: list(ACCESSORY_OF.values())}
        ),
        strengths=strengths,
    )


def _ids(prefix: str, count: int) -> pl.Series:
    width = max(4, len(str(count)))
    return pl.select(pl.lit(f"{prefix}-") + pl.int_range(1, count + 1).cast(pl.String).str.zfill(width)).to_series()


def _pick(names: list[str] | tuple[str, ...], codes: NDArray[np.int64]) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(codes)
