"""Tables and options that cannot be used, and what is said of them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from tests.data.small_tables import EDGES, ITEMS, LOG, USERS

from attrformer.data import Dataset
from attrformer.errors import ConfigurationError, DataError


def row(frame: pl.DataFrame, index: int, **values: Any) -> pl.DataFrame:
    """The frame with some values of one row replaced."""
    changed = frame.to_dicts()
    changed[index].update(values)
    return pl.DataFrame(changed, infer_schema_length=None, strict=False)


BAD = [
    (
        {"interactions": LOG.drop("item_id")},
        r"^interactions, column 'item_id': the column is missing \(present: user_id, ",
    ),
    (
        {"interactions": LOG.rename({"user_id": "User ID", "item_id": "itemId"})},
        r"pass columns=\{'user_id': 'User ID', 'item_id': 'itemId'\} .*--columns 'user_id=User ID,item_id=itemId'",
    ),
    ({"items": ITEMS.drop("item_id")}, r"^items, column 'item_id': the column is missing"),
    ({"users": USERS.drop("user_id")}, r"^users, column 'user_id': the column is missing"),
    ({"item_relations": EDGES.drop("relation")}, r"^item_relations, column 'relation': the column is missing"),
    ({"interactions": row(LOG, 2, user_id=None)}, r"^interactions, column 'user_id', row 2: the id is null"),
    ({"items": row(ITEMS, 1, item_id=None)}, r"^items, column 'item_id', row 1: the id is null"),
    (
        {"item_relations": row(EDGES, 4, target_item_id=None)},
        r"^item_relations, column 'target_item_id', row 4: the id is",
    ),
    ({"interactions": LOG.with_columns(item_id=pl.lit(1.5))}, r"column 'item_id', row 0: 1.5 is not a whole number"),
    (
        {"interactions": LOG.with_columns(item_id=pl.lit(True))},
        r"column 'item_id': values of type Boolean cannot be ids",
    ),
    ({"interactions": LOG.with_columns(timestamp=pl.lit("soon"))}, r"column 'timestamp', row 0: 'soon' is not a time"),
    ({"interactions": row(LOG, 3, timestamp=None)}, r"^interactions, column 'timestamp', row 3: the time is missing"),
    ({"interactions": row(LOG, 3, rating=float("inf"))}, r"column 'rating', row 3: the number is not finite \(inf\)"),
    ({"interactions": LOG.clear()}, r"^interactions: the table has no rows"),
    ({"items": row(ITEMS, 2, item_id=5)}, r"^items, column 'item_id', row 2: '5' has more than one row\. Keep one row"),
    ({"users": row(USERS, 1, user_id="ann")}, r"^users, column 'user_id', row 1: 'ann' has more than one row"),
    ({"items": row(ITEMS, 0, price=float("inf"))}, r"^items, column 'price', row 0: the number is not finite"),
    ({"items": ITEMS, "kinds": {"brand": "numeric"}}, r"^items, column 'brand', row 0: 'x' is not a number"),
    ({"items": ITEMS, "kinds": {"brand": "time"}}, r"^items, column 'brand', row 0: 'x' is not a time"),
    ({"items": ITEMS, "unknown": "error"}, r"^items, column 'item_id', row 2: '9' is not in the data.*catalogue='all'"),
    (
        {"users": row(USERS, 1, user_id="eve"), "unknown": "error"},
        r"^users, column 'user_id', row 1: 'eve' never acted",
    ),
    ({"item_relations": EDGES, "unknown": "error"}, r"column 'target_item_id', row 3: '9' is not in the data"),
    (
        {"items": pl.DataFrame({"item_id": ["a"]})},
        r"^items, column 'item_id', row 0: no row is about an id of the inter",
    ),
    ({"item_relations": row(EDGES, 1, rank=-1)}, r"^item_relations, column 'rank', row 1: -1 is not a rank"),
    (
        {"item_relations": EDGES.with_columns(weight=0.0)},
        r"column 'weight', row 0: 0.0 is not a weight\. Give a positive",
    ),
    (
        {"columns": {"user_id": "uid"}, "interactions": LOG.drop("user_id")},
        r"column 'uid': no table has the column that is",
    ),
    ({"kinds": {"colour": "multi"}}, r"column 'colour': a kind is declared for 'colour', and no such column"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message[:60] for _, message in BAD])
def test_bad_tables_are_refused_with_place_and_fix(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        Dataset.from_frames(**{"interactions": LOG, **arguments})
    assert caught.value.fix
    assert str(caught.value).endswith(f"{caught.value.fix}.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"catalogue": "some"}, "catalogue='some' is not known"),
        ({"on_unknown": "ignore"}, "on_unknown='ignore' is not known"),
        (
            {"kinds": {"interactions.timestamp": "ignore"}},
            r"kinds\['interactions.timestamp'\] is about a column that has a r",
        ),
        ({"items": ITEMS, "kinds": {"title": "categorical"}}, r"kinds\['title'\] is about a column that has a role"),
        ({"items": ITEMS, "kinds": {"brand": "colour"}}, r"kinds\['brand'\]='colour' is not known"),
    ],
)
def test_unknown_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Dataset.from_frames(LOG, **options)
