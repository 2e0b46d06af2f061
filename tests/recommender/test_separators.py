"""Text with several values is read after training as it was read in training."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from attrformer.config import override
from attrformer.data import Dataset
from attrformer.recommender import Config, Recommender

USERS = [user for user in range(20) for _ in range(5)]
LOG = pl.DataFrame({"user_id": USERS, "item_id": [(user + place) % 8 for place, user in enumerate(USERS)]})
GENRES = ["Action, Comedy", "Action", "Comedy, Drama", "Drama", "Action, Drama", "Comedy", "Action", "Drama"]
NEW = {"item_id": [100, 101], "genres": ["Action,  Drama", " Drama ,Action"]}


def test_new_items_are_split_at_the_separator_of_training_also_after_loading(tmp_path: Path) -> None:
    items = pl.DataFrame({"item_id": range(8), "genres": GENRES})
    dataset = Dataset.from_frames(LOG, items, separators={"genres": ", "})
    model = Recommender(
        override(Config(), ["model.name=transitions", "model.attributes=1", "relations.id_order=false"])
    ).fit(dataset, progress=False)
    model.save(tmp_path / "model")
    for one in (model, Recommender.load(tmp_path / "model")):
        one.add_items(pl.DataFrame(NEW))
        column = one.fitted.relations.features["genres"]
        assert column.encoder is not None and column.encoder.separator == ", "
        # "Action, Drama" in any spelling has the values of item 4, and not one value of its own.
        own = column.dense()[[4, 8, 9]]
        assert (own > 0).sum(1).tolist() == [2, 2, 2] and (own == own[0]).all()
