"""What a notebook shows of each object, however large it is."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from attrformer.data import Dataset, leave_one_out


def made() -> Dataset:
    """Four interactions of one user."""
    return Dataset.from_frames(
        pl.DataFrame(
            {"user_id": ["u"] * 4, "item_id": list("abca"), "timestamp": [1, 2, 3, 4], "rating": [1.0, 2, 3, 4]}
        ),
        pl.DataFrame({"item_id": list("abc"), "brand": ["x", "y", None], "price": [1.5, 2.5, 3.5]}),
        item_relations=pl.DataFrame({"source_item_id": ["a"], "target_item_id": ["b"], "relation": ["also_bought"]}),
        name="shop",
    )


def test_a_dataset_shows_its_sizes_and_columns() -> None:
    assert repr(made()) == (
        "Dataset shop: 1 users, 3 items, 4 interactions\n"
        "  interactions: timestamp, rating\n"
        "  items: brand (categorical, 2 values), price (numeric)\n"
        "  item_relations: also_bought (1 edges)"
    )
    bare = Dataset.from_frames(pl.DataFrame({"user_id": [1, 1], "item_id": [5, 6]}))
    assert repr(bare) == "Dataset dataset: 1 users, 2 items, 2 interactions"


def test_its_parts_show_no_values() -> None:
    dataset = made()
    assert repr(dataset.sequences) == "Sequences(1 rows, 4 interactions, timestamp, rating)"
    assert repr(dataset.item_ids) == "Ids('a', 'b', 'c'; 3)"
    assert repr(dataset.user_ids) == "Ids('u'; 1)"
    assert repr(dataset.item_attributes["brand"]) == "Attribute(brand, categorical, 2 values)"
    assert repr(dataset.item_relations["also_bought"]) == "Edges(1)"
    many = Dataset.from_frames(pl.DataFrame({"user_id": [1] * 2000, "item_id": range(2000)}))
    assert repr(many.item_ids) == "Ids(0, 1, 2, ...; 2,000)"


def test_a_split_shows_its_sizes_and_what_was_left_out() -> None:
    split = leave_one_out(made())
    assert repr(split) == (
        "Split leave-one-out: 2 interactions of 1 users to train on, 1 validation targets, 1 test targets"
    )
    assert repr(split.test) == "Targets(1)"
    assert repr(replace(split, dropped=("Two were left out.",))).splitlines()[1:] == ["  Two were left out."]
