from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.relations.builders import (
    NOTHING,
    SMALL,
    categorical,
    dataset,
    multi,
    numeric,
    relations_of,
    sequences,
    shop,
    walks,
)
from tests.relations.test_build import arrays

from attrformer.data.attributes import Attribute
from attrformer.data.dataset import Dataset
from attrformer.data.id_map import IdMap
from attrformer.relations.base import NewItems, Update
from attrformer.relations.build import build_relations
from attrformer.relations.config import RelationsConfig
from attrformer.relations.positions import BehaviourRelation
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.row_table import RowRelation

SPARSE = replace(SMALL, dense_items=0, top_k=8)
NEW: dict[str, Attribute] = {
    "brand": categorical("brand", ["b1", None, "unheard"]),
    "tags": multi("tags", [["t0", "t1", "t2", "t3", "t4"], ["t5", "unheard"], []]),
    "price": numeric("price", [0.0, float("nan"), 1.0]),
}


def at_inference(data: Dataset, config: RelationsConfig = SMALL, seed: int = 0) -> RelationSet:
    return build_relations(data, data.sequences, config, seed).for_inference()


def updated(
    relations: RelationSet, data: Dataset, config: RelationsConfig, codes: dict[str, NDArray[np.int64]]
) -> RelationSet:
    """Relations after everything that a dataset holds came in."""
    return relations.updated(Update(data.sequences, relations.n_items, config, codes, {}))


def with_more(relations: RelationSet, attributes: dict[str, Attribute]) -> RelationSet:
    """Relations with as many more items as the attributes describe."""
    count = len(next(iter(attributes.values())))
    known, new = (IdMap.from_list([f"i{n}" for n in numbers]) for numbers in (range(relations.n_items), range(count)))
    return relations.with_items(NewItems(known, IdMap(new.values + "-new"), attributes))


def assert_close(found: RelationSet, wanted: RelationSet) -> None:
    left, right = arrays(found), arrays(wanted)
    assert left.keys() == right.keys()
    for name, value in left.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            np.testing.assert_allclose(value, right[name], rtol=1e-5, atol=1e-7, err_msg=name)
        else:
            np.testing.assert_array_equal(value, right[name], err_msg=name)


@pytest.mark.parametrize("config", [SMALL, SPARSE], ids=["dense", "sparse"])
def test_new_items_leave_all_others_as_they_were(config: RelationsConfig) -> None:
    before = at_inference(shop(), config)
    after = with_more(before, NEW)
    assert after.n_items == 33
    for name, rows in before.rows.items():
        for item in range(30):
            assert after.rows[name].row(item)[:30].tolist() == rows.row(item).tolist()
            assert not after.rows[name].row(item)[30:].any()
        for item in range(30, 33):
            assert not after.rows[name].row(item).any()
    for name, feature in before.features.items():
        np.testing.assert_array_equal(after.features[name].dense()[:30], feature.dense())
    lift = after.users["region"].lift
    for value in range(3):
        assert lift.row(value)[:30].tolist() == before.users["region"].lift.row(value).tolist()
        assert lift.row(value)[30:].tolist() == [1.0, 1.0, 1.0]
    assert not lift.row(3).any()
    assert after.popularity[30:].tolist() == [0, 0, 0]
    assert before.time_bucket is not None and after.time_bucket is not None
    for moment in range(6):
        assert after.time_bucket.lift.row(moment)[:30].tolist() == before.time_bucket.lift.row(moment).tolist()
        assert after.time_bucket.lift.row(moment)[30:].tolist() == [1.0, 1.0, 1.0]
    assert before.n_items == 30 and before.rows["cooccurrence_near"].columns == 30


def test_values_of_new_items() -> None:
    before = at_inference(shop())
    after = with_more(before, NEW)

    def values(name: str) -> list[dict[str, float]]:
        feature = after.features[name]
        rows = feature.dense()[30:]
        return [{feature.labels[code]: round(float(row[code]), 3) for code in np.flatnonzero(row)} for row in rows]

    assert values("brand") == [{"b1": 1.0}, {}, {}]
    fifth = round(1 / np.sqrt(5), 3)
    assert values("tags") == [{f"t{k}": fifth for k in range(5)}, {"t5": 1.0}, {}]
    # More values than any item had before: all get more slots.
    assert after.features["tags"].codes.shape[1] == 5 > before.features["tags"].codes.shape[1]
    price = before.features["price"].labels
    assert values("price") == [{price[0]: 1.0}, {}, {price[-1]: 1.0}]


def test_a_new_item_is_as_one_that_nobody_touched_in_training() -> None:
    """Items 28 and 29 without interactions, once from the start and once added to the first 28."""
    rows = walks(40, 28, 5)
    brands = [f"b{item % 4}" for item in range(30)]
    regions = categorical("region", [f"r{user % 3}" for user in range(40)])

    def shop_of(items: int) -> Dataset:
        return dataset(
            sequences(rows),
            items,
            item_attributes={"brand": categorical("brand", brands[:items])},
            user_attributes={"region": regions},
        )

    whole, part = at_inference(shop_of(30)), at_inference(shop_of(28))
    grown = with_more(part, {"brand": categorical("brand", brands[28:])})
    for name in ("cooccurrence_near", "cooccurrence_wide", "cooccurrence_next", "indirect"):
        for item in range(30):
            np.testing.assert_array_equal(grown.rows[name].row(item), whole.rows[name].row(item))
    np.testing.assert_array_equal(grown.features["brand"].dense(), whole.features["brand"].dense())
    assert grown.similar_users is not None and whole.similar_users is not None
    for name in ("positions", "starts", "idf"):
        np.testing.assert_array_equal(getattr(grown.similar_users, name), getattr(whole.similar_users, name))
    # The smoothed share of an item knows how large the catalogue is.
    np.testing.assert_allclose(grown.users["region"].lift.dense, whole.users["region"].lift.dense, rtol=0.1)
    np.testing.assert_allclose(whole.users["region"].lift.dense[:3, 28:], 1.0, rtol=1e-5)  # type: ignore[index]


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 3), st.sampled_from([SMALL, SPARSE]), st.integers(1, 3))
def test_recounting_gives_what_building_gives(seed: int, config: RelationsConfig, folds: int) -> None:
    """However the users were folded in training, and whatever was counted before."""
    data = shop(seed)
    config = replace(config, folds=folds)
    wanted = at_inference(data, config, seed)
    shorter = replace(
        data, sequences=data.sequences.slices(data.sequences.offsets[:-1], data.sequences.offsets[1:] - 1)
    )
    before = at_inference(shorter, config, seed)
    assert before.time_bucket is not None and wanted.time_bucket is not None
    # Levels and moments stay where training cut them.
    moment = replace(before.time_bucket, edges=wanted.time_bucket.edges)
    levels = [relation for relation in wanted.values() if isinstance(relation, BehaviourRelation)]
    before = before.replaced([*levels, moment])
    assert not np.array_equal(before.popularity, wanted.popularity)
    found = updated(before, data, config, {"region": wanted.users["region"].codes})
    assert list(found.rows) == list(wanted.rows)
    if config is SMALL or config.dense_items:
        assert_close(found, wanted)
        return
    # Entries that are equal but for rounding may change places at the end of a row; what is kept is as strong.
    for name, rows in wanted.rows.items():
        for item in range(data.item_count):
            np.testing.assert_allclose(
                np.sort(found.rows[name].row(item)), np.sort(rows.row(item)), rtol=1e-4, atol=1e-6
            )
    others = (relations.having(lambda one: not isinstance(one, RowRelation)) for relations in (found, wanted))
    assert_close(*others)


def test_only_what_is_there_is_recounted() -> None:
    data = shop()
    relations = relations_of(data, user_attributes=NOTHING, similar_users=False, indirect=False).for_inference()
    found = updated(relations, data, SMALL, {})
    assert list(found.rows) == ["cooccurrence_near", "cooccurrence_wide", "cooccurrence_next", "edge_also"]
    assert (found.users, found.similar_users) == ({}, None)
    assert found.rows["edge_also"] is relations.rows["edge_also"]
    for name in ("item_brand", "item_tags", "item_price", "behaviour_rating"):
        assert found[name] is relations[name]


def test_what_items_did_together_takes_no_more_room_when_others_are_added() -> None:
    before = at_inference(shop())
    after = with_more(before, NEW)
    for name, relation in before.rows.items():
        grown = after.rows[name]
        assert grown.dense is not None and relation.dense is not None
        assert np.shares_memory(grown.dense, relation.dense)
        assert (grown.keys, grown.columns) == (after.n_items, after.n_items)
        np.testing.assert_array_equal(grown.row(0)[: before.n_items], relation.row(0))
        assert not grown.row(0)[before.n_items :].any() and not grown.row(after.n_items - 1).any()


def test_growing_past_the_size_of_whole_rows() -> None:
    data = shop()
    config = replace(SMALL, dense_items=30, top_k=8)
    grown = with_more(at_inference(data, config), NEW)
    assert grown.rows["cooccurrence_near"].dense is not None
    codes = {"region": grown.users["region"].codes}
    found = updated(grown, data, config, codes)
    assert found.rows["cooccurrence_near"].dense is None and found.rows["cooccurrence_near"].indices is not None
    assert found.rows["cooccurrence_near"].indices.shape == (33, 8)


def test_new_items_take_their_place_in_the_order_of_ids() -> None:
    data = dataset(sequences(walks(80, 101, 0)), 101)
    before = at_inference(data, replace(SMALL, id_order=True))
    after = before.with_items(NewItems(data.item_ids, IdMap.from_list(["i500", "i300"]), {}))
    feature, rows = before.features["id_order"], after.features["id_order"].dense()
    np.testing.assert_array_equal(rows[:101], feature.dense())
    np.testing.assert_array_equal(rows[101:], feature.dense()[[100, 100]])


def test_a_column_that_is_called_like_the_order_of_ids_stays_a_column() -> None:
    own = {"id_order": categorical("id_order", [f"v{item % 3}" for item in range(101)])}
    data = dataset(sequences(walks(80, 101, 0)), 101, item_attributes=own)
    before = at_inference(data)
    assert list(before.item_columns) == ["id_order"]
    new = {"id_order": categorical("id_order", ["v2"])}
    after = before.with_items(NewItems(data.item_ids, IdMap.from_list(["i500"]), new))
    np.testing.assert_array_equal(after.features["id_order"].dense()[101], before.features["id_order"].dense()[2])
