"""How interactions of one user at the same time lie in a dataset, where training could learn it.

python benchmarks/order_within_a_time.py data/beauty data/ml-1m
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl

from attrformer import Dataset
from attrformer.data import leave_one_out
from attrformer.data.id_map import order_of
from attrformer.errors import AttrFormerError


def steps(dataset: Dataset) -> pl.DataFrame:
    """Every step of a user in training: the places of both items in the order of ids, and whether times are equal."""
    train = leave_one_out(dataset).train
    if train.times is None:
        raise SystemExit(f"{dataset.name} has no times.")
    users, places = train.row_of_position(), order_of(dataset.item_ids.values)[train.items]
    same = pl.Series(np.diff(train.times) == 0)
    table = pl.DataFrame({"first": places[:-1], "second": places[1:], "same": same})
    return table.filter(pl.Series(np.diff(users) == 0)).filter(pl.col("first") != pl.col("second"))


def agreement(table: pl.DataFrame, least: int) -> tuple[int, float]:
    """Pairs that are taken in direct succession often enough, and how often in the order that most take them in."""
    pair = (pl.min_horizontal("first", "second").alias("low"), pl.max_horizontal("first", "second").alias("high"))
    up = (pl.col("first") < pl.col("second")).alias("up")
    shares = table.select(*pair, up).group_by("low", "high").agg(pl.col("up").mean(), pl.len())
    known = shares.filter(pl.col("len") >= least)["up"].to_numpy()
    return len(known), float(np.maximum(known, 1 - known).mean()) if len(known) else float("nan")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("data", metavar="FOLDER", nargs="+", type=Path, help="dataset folders")
    parser.add_argument("--least", type=int, default=20, help="users who have to take two items in direct succession")
    options = parser.parse_args()
    for folder in options.data:
        try:
            table = steps(Dataset.load(folder))
        except AttrFormerError as error:
            parser.error(str(error))
        print(f"{folder.name}: {table['same'].mean():.3f} of {len(table):,} steps in training are within one time")
        for text, part in (("same time", table.filter("same")), ("later", table.filter(~pl.col("same")))):
            if len(part):
                pairs, share = agreement(part, options.least)
                up = (part["first"] < part["second"]).mean()
                usual = f"{pairs:,} frequent pairs, {share:.3f} in their usual order"
                print(f"  {text}: {up:.3f} go up in item id; {usual}")


if __name__ == "__main__":
    main()
