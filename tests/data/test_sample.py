from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attrformer import columns
from attrformer.data import Dataset
from attrformer.data.attributes import AttributeKind
from attrformer.data.sample import Sample, SampleStrengths, make_sample, sample_dataset
from attrformer.data.sample_kinds import SAMPLE_KINDS
from attrformer.errors import ConfigurationError

INTERACTIONS_SHA256 = "8004ccab9c2db287ac90d5d7ba4ce201b9fcc63ca16f67e6f3d7e7ab34bf94df"
FIRST_TRANSITION = ("Kitchen > Kettles", "Kitchen > Coffee Capsules", 0.65)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample()


@pytest.fixture(scope="module")
def steps(sample: Sample) -> pl.DataFrame:
    """Each purchase with what is known of the item bought and, unless it is the first, of the one bought before."""
    items = sample.items.with_columns(pl.col("category").list.last())
    bought = sample.interactions.join(items, on=columns.ITEM, maintain_order="left").join(
        sample.users, on=columns.USER, maintain_order="left"
    )
    before = [
        pl.col(name).shift(1).over(columns.USER).alias(f"last_{name}") for name in ("item_id", "brand", "category")
    ]
    accessory = sample.truth.accessories.rename({columns.SOURCE_ITEM: "last_item_id", columns.TARGET_ITEM: "accessory"})
    return bought.with_columns(before).join(accessory, on="last_item_id", how="left", maintain_order="left")


def share(frame: pl.DataFrame, condition: pl.Expr) -> float:
    return float(frame.select(condition.mean()).item())


def same_tables(one: Sample, other: Sample) -> bool:
    return all(getattr(one, name).equals(getattr(other, name)) for name in ("interactions", "items", "users"))


def test_one_seed_gives_one_shop_and_another_seed_another(sample: Sample) -> None:
    again = make_sample(seed=0)
    assert same_tables(sample, again)
    assert sample.truth.transitions.equals(again.truth.transitions)
    assert sample.truth.age_categories.equals(again.truth.age_categories)
    assert sample.truth.accessories.equals(again.truth.accessories)
    assert not make_sample(seed=1).interactions.equals(sample.interactions)


def test_the_shop_is_the_same_on_every_platform(sample: Sample) -> None:
    assert hashlib.sha256(sample.interactions.write_csv().encode()).hexdigest() == INTERACTIONS_SHA256
    assert sample.truth.transitions.row(0) == FIRST_TRANSITION


def test_sizes_of_the_default_shop(sample: Sample) -> None:
    lengths = sample.interactions.group_by(columns.USER).len()["len"]
    assert (sample.users.height, sample.items.height, sample.items["brand"].n_unique()) == (2000, 1000, 60)
    assert len(lengths) == 2000
    assert lengths.min() == 5
    assert 11 < sample.interactions.height / 2000 < 13
    assert sample.items["category"].list.last().n_unique() == 40
    assert sample.items["category"].list.first().n_unique() == 8
    assert sample.items["title"].n_unique() == 1000


def test_every_value_is_there_and_every_id_is_known(sample: Sample) -> None:
    for table in (sample.interactions, sample.items, sample.users):
        assert sum(table.null_count().row(0)) == 0
    assert sample.items[columns.ITEM].is_unique().all()
    assert sample.users[columns.USER].is_unique().all()
    assert sample.interactions[columns.ITEM].is_in(sample.items[columns.ITEM].implode()).all()
    assert sample.interactions[columns.USER].is_in(sample.users[columns.USER].implode()).all()
    assert (sample.items["price"] > 0).all()


def test_categories_are_nested_and_prices_follow_them(sample: Sample) -> None:
    paths = sample.items.select(
        department=pl.col("category").list.first(), leaf=pl.col("category").list.last(), price="price"
    )
    assert paths.select(pl.col("leaf").str.starts_with(pl.col("department") + " > ").all()).item()
    middle = dict(paths.group_by("leaf").agg(pl.col("price").median()).rows())
    assert middle["Electronics > Phones"] > 10 * middle["Electronics > Phone Cases"]


def test_nobody_buys_the_same_item_twice_in_a_large_enough_shop(sample: Sample) -> None:
    assert not sample.interactions.select(columns.USER, columns.ITEM).is_duplicated().any()


def test_time_runs_forward_in_sessions_that_lie_days_apart(steps: pl.DataFrame) -> None:
    gaps = steps.select(pl.col("timestamp").diff().over(columns.USER)).to_series().drop_nulls()
    assert (gaps > 0).all()
    apart = gaps.filter(gaps >= 43_200)
    within = gaps.filter(gaps < 43_200)
    assert within.max() < 7200
    assert 0.30 < len(apart) / len(gaps) < 0.37
    assert apart.median() > 5 * 86_400


def test_popularity_follows_a_power_law(sample: Sample) -> None:
    counts = sample.interactions[columns.ITEM].value_counts(sort=True)["count"].to_numpy()
    ranks = np.arange(10, 300)
    slope = np.polyfit(np.log(ranks), np.log(counts[ranks - 1]), 1)[0]
    assert -1.1 < slope < -0.5
    assert counts[:100].sum() > 0.3 * counts.sum()
    assert counts[0] < 0.05 * counts.sum()


def test_half_of_the_main_products_are_followed_by_their_accessory(steps: pl.DataFrame) -> None:
    after_main = steps.filter(pl.col("accessory").is_not_null())
    popularity = steps["item_id"].value_counts(normalize=True)
    chance = after_main.join(popularity, left_on="accessory", right_on="item_id")["proportion"].mean()
    followed = share(after_main, pl.col("item_id") == pl.col("accessory"))
    assert after_main.height > 2000
    assert 0.40 < followed < 0.55
    assert followed > 50 * chance


def test_buyers_come_back_to_the_brand_they_just_bought(steps: pl.DataFrame) -> None:
    later = steps.filter(pl.col("last_brand").is_not_null() & pl.col("accessory").is_null())
    brands = steps["brand"].value_counts(normalize=True)["proportion"].to_numpy()
    loyal = share(later, pl.col("brand") == pl.col("last_brand"))
    assert 0.15 < loyal < 0.30
    assert loyal > 4 * float((brands**2).sum())


def mean_transition_lift(steps: pl.DataFrame, pairs: pl.DataFrame) -> float:
    """Share of the target category after the source category, over its share anywhere, averaged over the pairs."""
    later = steps.filter(pl.col("last_category").is_not_null() & pl.col("accessory").is_null())
    overall = dict(later["category"].value_counts(normalize=True).rows())
    lifts = [
        share(later.filter(pl.col("last_category") == source), pl.col("category") == target) / overall[target]
        for source, target in pairs.select("source_category", "target_category").rows()
    ]
    return float(np.mean(lifts))


def test_planted_transitions_are_followed_forward_and_not_backward(sample: Sample, steps: pl.DataFrame) -> None:
    planted = sample.truth.transitions
    usual = planted.filter(pl.col("weight") > 0.5)
    mains = sample.truth.accessory_categories["source_category"].implode()
    usual = usual.filter(~(pl.col("source_category").is_in(mains) | pl.col("target_category").is_in(mains)))
    backward = usual.rename({"source_category": "target_category", "target_category": "source_category"})
    assert planted.height == 80
    assert planted.group_by("source_category").agg(pl.col("weight").sum())["weight"].to_list() == [1.0] * 40
    assert mean_transition_lift(steps, usual) > 4
    assert 0.5 < mean_transition_lift(steps, backward) < 1.5


def test_age_bands_prefer_their_categories_and_regions_prefer_nothing(sample: Sample, steps: pl.DataFrame) -> None:
    planted = sample.truth.age_categories
    assert planted.group_by("age_band").len()["len"].to_list() == [4] * 5
    assert planted["category"].n_unique() == 20
    for band, group in planted.group_by("age_band"):
        preferred = pl.col("category").is_in(group["category"].implode())
        inside = share(steps.filter(pl.col("age_band") == band[0]), preferred)
        outside = share(steps.filter(pl.col("age_band") != band[0]), preferred)
        assert inside > 2 * outside
        for _, region in steps.group_by("region"):
            assert share(region, preferred) < 1.4 * share(steps, preferred)


def test_without_strength_nothing_is_planted() -> None:
    flat = make_sample(strengths=SampleStrengths(accessory=0, loyalty=0, transition=0, age=0))
    items = flat.items.with_columns(pl.col("category").list.last())
    bought = flat.interactions.join(items, on=columns.ITEM, maintain_order="left")
    pairs = bought.with_columns(last=pl.col("brand").shift(1).over(columns.USER)).drop_nulls("last")
    brands, single = (pairs[name].value_counts(normalize=True)["proportion"] for name in ("brand", columns.ITEM))
    # Two purchases meet in a brand by chance; as nobody buys an item twice, meeting in an item does not count.
    chance = float((brands**2).sum() - (single**2).sum())
    assert share(pairs, pl.col("brand") == pl.col("last")) == pytest.approx(chance, rel=0.15)


def test_accessories_belong_to_the_category_that_follows_their_main_product(sample: Sample) -> None:
    leaf = sample.items.select(columns.ITEM, category=pl.col("category").list.last())
    pairs = (
        sample.truth.accessories.join(leaf, left_on=columns.SOURCE_ITEM, right_on=columns.ITEM)
        .rename({"category": "source_category"})
        .join(leaf, left_on=columns.TARGET_ITEM, right_on=columns.ITEM)
        .rename({"category": "target_category"})
        .select("source_category", "target_category")
        .unique()
    )
    assert set(pairs.rows()) == set(sample.truth.accessory_categories.rows())


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    users=st.integers(1, 60),
    items=st.integers(40, 300),
    mean=st.floats(5, 30),
    brands=st.integers(1, 200),
)
def test_any_size_gives_sound_tables(seed: int, users: int, items: int, mean: float, brands: int) -> None:
    shop = make_sample(seed, users, items, interactions_per_user=mean, brands=brands)
    assert shop.users.height == users
    assert shop.items.height == items
    assert shop.interactions[columns.USER].n_unique() == users
    assert shop.interactions.group_by(columns.USER).len()["len"].min() >= 5
    assert sum(shop.interactions.null_count().row(0)) == 0
    times = shop.interactions.select(pl.col("timestamp").diff().over(columns.USER)).to_series().drop_nulls()
    assert (times > 0).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"users": 0}, "users is 0"),
        ({"items": 39}, "at least 40"),
        ({"interactions_per_user": 4.9}, "interactions_per_user is 4.9"),
        ({"interactions_per_user": float("nan")}, "interactions_per_user is nan"),
        ({"brands": 0}, "brands is 0"),
    ],
)
def test_sizes_that_no_shop_can_have_are_refused(sizes: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_sample(**sizes)


@pytest.mark.parametrize("strengths", [{"accessory": 1.5}, {"age": -0.1}, {"loyalty": 0.6, "transition": 0.6}])
def test_strengths_that_are_no_probabilities_are_refused(strengths: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="at most 1"):
        SampleStrengths(**strengths)


def test_the_dataset_holds_the_whole_shop_and_not_its_truth(sample: Sample) -> None:
    dataset = sample_dataset()
    assert (dataset.name, dataset.user_count, dataset.item_count) == ("sample", 2000, 1000)
    assert len(dataset.sequences.items) == sample.interactions.height
    assert {name: attribute.kind for name, attribute in dataset.item_attributes.items()} == {
        "brand": AttributeKind.CATEGORICAL,
        "category": AttributeKind.MULTI,
        "price": AttributeKind.NUMERIC,
    }
    assert set(dataset.user_attributes) == {"age_band", "region"}
    assert dataset.item_relations == {}
    first = dataset.user_ids.decode([0])[0]
    expected = sample.interactions.filter(pl.col(columns.USER) == first)[columns.ITEM]
    assert dataset.item_ids.decode(dataset.sequences.row(0)).to_list() == expected.to_list()


def test_columns_of_every_kind_are_added_on_request_and_change_nothing_else() -> None:
    plain, shop = (make_sample(users=60, items=50, every_kind=every) for every in (False, True))
    assert shop.interactions.equals(plain.interactions) and shop.users.equals(plain.users)
    assert shop.items.select(plain.items.columns).equals(plain.items)
    dataset = Dataset.from_frames(shop.interactions, shop.items, shop.users, catalogue="all", kinds=SAMPLE_KINDS)
    kinds = {name: attribute.kind.value for name, attribute in dataset.item_attributes.items()}
    assert {**SAMPLE_KINDS, "image": "vector"}.items() <= kinds.items()
    assert all(attribute.known.all() for attribute in dataset.item_attributes.values())
    # Images of one category are more alike than others.
    images = dataset.item_attributes["image"].vectors
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    paths = shop.items["path"].to_numpy()
    same = (paths[:, None] == paths) & ~np.eye(50, dtype=bool)
    assert (images @ images.T)[same].mean() > (images @ images.T)[paths[:, None] != paths].mean() + 0.3
