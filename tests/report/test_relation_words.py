"""Every relation that a model of every kind of column has is said in words."""

from __future__ import annotations

from typing import Any

import pytest

from attrformer.data import Dataset
from attrformer.data.check import check_dataset
from attrformer.data.sample import make_sample
from attrformer.data.sample_kinds import SAMPLE_KINDS
from attrformer.data.splits import leave_one_out
from attrformer.relations.build import build_relations
from attrformer.relations.config import CooccurrenceConfig, RelationsConfig
from attrformer.report.charts import bar_chart
from attrformer.report.relation_words import UNKNOWN, relation_words
from attrformer.report.sections import curves

ITEMS = {
    "categorical": "Values of x that go together",
    "multi": "Values of x that go together",
    "numeric": "Ranges of x that go together",
    "time": "Ranges of x that go together",
    "hierarchy": "Levels of x that go together, the deeper the more",
    "weighted": "Tags of x that go together, by their scores",
    "vector": "Items with similar x vectors",
    "text": "Items with a similar text in x",
    "location": "Items that are near each other by x",
}


def use(table: str, column: str, used_as: str) -> dict[str, Any]:
    return {"table": table, "column": column, "used_as": used_as, "values": None, "missing": None}


@pytest.mark.parametrize("kind", ITEMS)
def test_item_attributes_by_their_kind(kind: str) -> None:
    assert (
        relation_words(
            "item_x", [use("users", "x", "user attribute, time"), use("items", "x", f"item attribute, {kind}")]
        )
        == ITEMS[kind]
    )


def test_a_title_that_is_read_as_text_and_is_shown_as_well() -> None:
    columns = [use("items", "title", "shown in place of the id, item attribute, text")]
    assert relation_words("item_title", columns) == "Items with a similar text in title"


def test_changing_attributes_are_read_as_they_were_at_the_time() -> None:
    columns = [
        use("items", "price", "not used"),
        use("item_changes", "price", "item attribute, numeric, of which 280 changes are known"),
    ]
    assert relation_words("item_price", columns) == "Ranges of price that go together, as they were at the time"


def test_other_relations() -> None:
    columns = [
        use("users", "home", "user attribute, location"),
        use("users", "age_band", "user attribute, categorical"),
    ]
    assert relation_words("user_home", columns) == "What users in the same group by home prefer"
    assert relation_words("user_age_band", columns) == "What users of the same age_band prefer"
    assert relation_words("after_event=a=b", []) == "What follows an item whose event was a=b"
    assert relation_words("edge_also_bought", []) == "Items that the table also_bought leads to"
    assert relation_words("item_x", []) == "Items that go together by x"
    assert relation_words("my_own", []) == UNKNOWN


def test_no_relation_of_the_generated_shop_is_without_words() -> None:
    shop = make_sample(users=40, items=45, every_kind=True)
    dataset = Dataset.from_frames(shop.interactions, shop.items, shop.users, kinds=SAMPLE_KINDS, catalogue="all")
    wanted = RelationsConfig(similar_users=True, indirect=True, cooccurrence_next=CooccurrenceConfig(enabled=True))
    built = build_relations(dataset, leave_one_out(dataset).train, wanted, 0)
    # Relations of positions have no share in a score.
    names = [name for name in built if not name.startswith("behaviour_") and name != "time_gap"]
    columns = check_dataset(dataset).to_json()["columns"]
    said = {name: relation_words(name, columns) for name in names}
    assert len(said) >= 15 and UNKNOWN not in said.values()
    assert all("go together by" not in words for words in said.values())


def test_long_names_of_relations_fit_beside_their_bars() -> None:
    bins = [{"label": name, "value": 1.0} for name in ("cooccurrence_near", "after_event=added_to_cart")]
    chart = bar_chart("t", "d", bins, label_header="l", value_header="v")
    assert chart is not None and [bar.label for bar in chart.bars] == ["cooccurrence_near", "after_event=added_to_…"]


def test_one_epoch_is_no_course() -> None:
    charts = curves([{"epoch": 0, "loss": 2.0, "validation": {}}], "NDCG@20")
    assert charts[0].description == "The training loss is 2.0000 at epoch 1."
