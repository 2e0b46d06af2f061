"""The public data that the benchmarks use: what is known of them must come out of the whole chain."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from attrformer.data import AttributeKind, Dataset, core_filter, leave_one_out, time_split

pytestmark = pytest.mark.slow

KNOWN = {
    "beauty": (22_363, 12_101, 198_502, {"also_bought": 239_345, "also_viewed": 155_350, "bought_together": 9_021}),
    "toys": (19_412, 11_924, 167_597, {"also_bought": 377_792, "also_viewed": 234_123}),
    "ml-1m": (6_040, 3_416, 999_611, {}),
}


def table(data_root: Path, name: str, file: str) -> Path:
    path = data_root / name / f"{file}.parquet"
    if not path.is_file():
        pytest.skip(f"needs real data: {path} is absent")
    return path


@pytest.mark.parametrize("name", KNOWN)
def test_sizes_and_targets_are_those_that_are_published(data_root: Path, name: str) -> None:
    interactions = pl.read_parquet(table(data_root, name, "interactions"))
    users, items, count, edges = KNOWN[name]
    dataset = core_filter(Dataset.load(data_root / name), 5)
    assert (dataset.user_count, dataset.item_count, len(dataset.sequences.items)) == (users, items, count)
    assert {relation: len(part.source) for relation, part in dataset.item_relations.items()} == edges
    split = leave_one_out(dataset)
    assert split.dropped == () and len(split.test) == users
    # The rows of the file are in order within each user, so the last row of a user is the target.
    catalogue = dataset.item_ids.values.rename("item_id").to_frame()
    kept = interactions.join(catalogue, on="item_id", how="semi", maintain_order="left")
    last = kept.group_by("user_id", maintain_order=True).agg(pl.col("item_id").last()).sort("user_id")
    assert dataset.user_ids.decode(split.test.users).to_list() == last["user_id"].to_list()
    assert dataset.item_ids.decode(split.test.items).to_list() == last["item_id"].to_list()


def test_movielens_attributes(data_root: Path) -> None:
    table(data_root, "ml-1m", "items")
    dataset = Dataset.load(data_root / "ml-1m")
    assert dataset.item_count == 3_706
    assert dataset.item_titles is not None and dataset.item_titles[0] == "Toy Story (1995)"
    kinds = {name: attribute.kind for name, attribute in dataset.item_attributes.items()}
    assert kinds == {"year": AttributeKind.NUMERIC, "genres": AttributeKind.MULTI}
    assert len(dataset.item_attributes["genres"].vocabulary) == 18
    sizes = {name: len(attribute.vocabulary) for name, attribute in dataset.user_attributes.items()}
    assert sizes == {"gender": 2, "age": 7, "occupation": 21}
    assert any("column 'zip_code' is not used" in note for note in dataset.notes)


def test_a_time_split_of_movielens_leaks_nothing(data_root: Path) -> None:
    table(data_root, "ml-1m", "interactions")
    dataset = Dataset.load(data_root / "ml-1m")
    split = time_split(dataset, validation_from=0.8, test_from=0.9, per_user="first")
    assert (
        split.train.times is not None and split.test.contexts.times is not None and dataset.sequences.times is not None
    )
    share = len(split.train.items) / len(dataset.sequences.items)
    assert share == pytest.approx(0.8, abs=0.001)
    middle = np.quantile(dataset.sequences.times, 0.9, method="higher")
    assert split.train.times.max() < split.test.contexts.times.max() < middle


def test_a_million_rows_take_well_under_two_seconds(data_root: Path) -> None:
    table(data_root, "ml-1m", "interactions")
    best = float("inf")
    for _ in range(2):
        # Of the processor: how long that takes beside other tests is for the machine to say.
        start = time.process_time()
        leave_one_out(core_filter(Dataset.load(data_root / "ml-1m"), 5))
        best = min(best, time.process_time() - start)
    assert best < 2
