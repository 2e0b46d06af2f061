"""Tables that come after training are read with what training found to stand first in their dates."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from tests.support.recommenders import small_config

from attrformer.data import Dataset
from attrformer.errors import DataError
from attrformer.recommender import Recommender

DAYS = [datetime(2019, 1, 1, tzinfo=timezone.utc) + timedelta(days=3 * n) for n in range(100)]
LOG = pl.DataFrame(
    {
        "user_id": [n // 5 for n in range(100)],
        "item_id": [(n // 5 + n) % 8 for n in range(100)],
        "timestamp": [f"{day:%m/%d/%Y}" for day in DAYS],
    }
)
ITEMS = pl.DataFrame({"item_id": range(8), "launched": [f"{n // 2 + 12}/{n // 2 + 1}/2018" for n in range(8)]})
CHANGES = pl.DataFrame({"item_id": [0, 1], "timestamp": ["28.2.2019", "03/04/2019"], "column": "price", "value": "2"})


@pytest.fixture(scope="module")
def model() -> Recommender:
    data = Dataset.from_frames(LOG, ITEMS, item_changes=CHANGES)
    return Recommender(small_config()).fit(data, progress=False)


def seconds(*date: int) -> int:
    return int(datetime(*date, tzinfo=timezone.utc).timestamp())  # type: ignore[misc, arg-type]


def test_what_training_found_is_kept(model: Recommender, tmp_path: Path) -> None:
    assert model.fitted.knowledge.histories.meaning.date_orders == {"interactions": "month", "item_changes": "day"}
    encoder = model.fitted.relations.features["launched"].encoder
    assert encoder is not None and encoder.date_order == "day"
    model.save(tmp_path / "model")
    for one in (model, Recommender.load(tmp_path / "model")):
        one.update(pl.DataFrame({"user_id": [0], "item_id": [1], "timestamp": ["02/03/2020"]}))
        times = one.fitted.knowledge.histories.times
        assert times is not None and int(times.max()) == seconds(2020, 2, 3)
        one.add_items(pl.DataFrame({"item_id": [100], "launched": ["05/11/2018"]}))
        again = one.fitted.relations.features["launched"].encoder
        assert again is not None and again.date_order == "day"
        if one.fitted.knowledge.item_values is not None:
            assert one.fitted.knowledge.item_values.columns["launched"].numbers[-1] == seconds(2018, 11, 5)


def test_a_date_that_contradicts_training_is_refused(model: Recommender) -> None:
    with pytest.raises(DataError, match=r"column 'timestamp', row 1: '31/01/2020' is not a time with the month first"):
        model.update(pl.DataFrame({"user_id": [0, 0], "item_id": [1, 2], "timestamp": ["01/02/2020", "31/01/2020"]}))
    with pytest.raises(DataError, match=r"column 'launched', row 0: '11/25/2018' is not a time with the day first"):
        model.add_items(pl.DataFrame({"item_id": [101], "launched": ["11/25/2018"]}))
    with pytest.raises(DataError, match=r"'04/25/2019' is not a time with the day first"):
        model.update(item_changes=CHANGES.with_columns(timestamp=pl.lit("04/25/2019")))
