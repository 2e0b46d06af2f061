"""What each kind of item attribute is worth: the same training with and without it.

Rows of a table, each a training of its own with the same options, seed and epochs:

- inferred: columns as they are read without declared kinds;
- all: the declared kinds as well;
- without COLUMN: all but one attribute, for each attribute of a kind that needs a relation of its own;
- only COLUMN: one item attribute alone;
- none: no item attribute.

Without --data it is the generated shop, with a column of every kind. There each of them tells the category, so that one
can stand in for another: "only" says what a kind can tell, "without" what it adds to the others.

python benchmarks/attribute_kinds.py --data data/ml-1m --kinds title=text --config configs/ml-1m.yaml --test
python benchmarks/attribute_kinds.py --data data/beauty --kinds categories=hierarchy --broadest-first categories
python benchmarks/attribute_kinds.py --users 2000 --items 1000 --epochs 8
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bench
import numpy as np
import polars as pl

from attrformer.errors import AttrFormerError

METRIC = "NDCG@20"
GROUPS = ("inferred", "all", "without", "only", "none")
RELATIONAL = ("vector", "text", "hierarchy", "location", "weighted")
PLACE = "place"


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="dataset folder; the generated shop without it")
    parser.add_argument("--users", type=int, help="drawn from the data, all without it; of the generated shop 2000")
    parser.add_argument("--items", type=int, default=1000, help="of the generated shop")
    parser.add_argument("--kinds", nargs="*", default=[], metavar="COLUMN=KIND", help="declared kinds of item columns")
    parser.add_argument(
        "--broadest-first",
        nargs="*",
        default=[],
        metavar="COLUMN",
        help="lists to order by how many items have a value",
    )
    parser.add_argument("--rows", nargs="+", choices=GROUPS, help="inferred and all with --data, else all but inferred")
    parser.add_argument("--config", metavar="FILE", type=Path, help="options of the model, as YAML")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option, may be repeated")
    parser.add_argument("--epochs", type=int, default=8, help="of every training")
    parser.add_argument("--latest", type=int, help="interactions kept of each user, the latest; all without it")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="each is a training of every row")
    parser.add_argument("--test", action="store_true", help="figures on the test part beside those on validation")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--out", metavar="FILE", type=Path, help="JSON file, written again after each training")
    parser.add_argument("--progress", action="store_true", help="show a progress bar of each training")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        name: of the row.
        declared: whether the declared kinds are read.
        attributes: item attributes that become relations; None for all.
    """

    name: str
    declared: bool = True
    attributes: tuple[str, ...] | None = None


def rows_of(kinds: dict[str, str], groups: list[str]) -> list[Row]:
    """The rows of a table; the first is what the others are compared with.

    Args:
        kinds: kind of each item attribute, the declared ones included.
        groups: of `GROUPS`.
    """
    related = [name for name, kind in kinds.items() if kind in RELATIONAL]
    found = {
        "inferred": [Row("inferred", declared=False)],
        "all": [Row("all")],
        "without": [
            Row(f"without {name}", attributes=tuple(each for each in kinds if each != name)) for name in related
        ],
        "only": [Row(f"only {name}", attributes=(name,)) for name in kinds],
        "none": [Row("none", attributes=())],
    }
    return [row for group in GROUPS if group in groups for row in found[group]]


def broadest_first(items: pl.DataFrame, column: str) -> pl.DataFrame:
    """Orders each list of a column by how many items have a value, the commonest first, which makes levels of names.

    Of unordered names of levels that is the order of the levels: an item of a level is one of every level above it.

    Args:
        items: with the column, whose entries are lists.
        column: its name.
    """
    values = items[column].explode().drop_nulls().value_counts()
    counts = dict(values.sort("count", column, descending=[True, False]).rows())
    ranks = {value: rank for rank, value in enumerate(counts)}
    ordered = [entry and sorted(entry, key=ranks.__getitem__) for entry in items[column].to_list()]
    return items.with_columns(pl.Series(column, ordered, dtype=items.schema[column]))


def with_places(items: pl.DataFrame) -> pl.DataFrame:
    """The items of the generated shop with the place that they are sold from: near others of their category."""
    generator = np.random.Generator(np.random.PCG64(1))
    paths = items["path"].unique().sort().to_list()
    centres = dict(zip(paths, generator.random((len(paths), 2)) * (20, 40) + (40, -10), strict=True))
    places = [centres[path] + 0.5 * generator.random(2) for path in items["path"]]
    return items.with_columns(pl.Series(PLACE, [f"{north:.4f},{east:.4f}" for north, east in places]))


def tables(options: argparse.Namespace) -> tuple[dict[str, pl.DataFrame], dict[str, str], str]:
    """The tables by name, the declared kinds, and the name of the data."""
    from attrformer.data.sample import make_sample
    from attrformer.data.sample_kinds import SAMPLE_KINDS

    kinds = dict(declared.split("=", 1) for declared in options.kinds)
    if options.data is None:
        shop = make_sample(users=options.users or 2000, items=options.items, every_kind=True)
        kinds = {**SAMPLE_KINDS, PLACE: "location", **kinds}
        found = {"interactions": shop.interactions, "items": with_places(shop.items), "users": shop.users}
        return found, kinds, "generated shop"
    names = [name for name in ("interactions", "items", "users") if (options.data / f"{name}.parquet").exists()]
    found = {name: pl.read_parquet(options.data / f"{name}.parquet") for name in names}
    for column in options.broadest_first:
        found["items"] = broadest_first(found["items"], column)
    return found, kinds, options.data.name


def datasets(options: argparse.Namespace, config: Any) -> dict[bool, Any]:
    """The dataset without and with declared kinds, filtered and cut to the latest interactions."""
    from attrformer.data import Dataset

    frames, kinds, name = tables(options)
    found = {}
    for declared in (False, True):
        data = Dataset.from_frames(**frames, kinds=kinds if declared else {}, name=name)
        data = _some_users(config.data.filtered(data), options.users)
        if options.latest is not None:
            data = replace(data, sequences=data.sequences.tail(options.latest))
        found[declared] = data
    return found


def _some_users(data: Any, count: int | None) -> Any:
    """The same users whatever is declared; the catalogue stays as it is."""
    from attrformer.data import keep_users

    if count is None or count >= data.user_count:
        return data
    drawn = np.random.Generator(np.random.PCG64(0)).permutation(data.user_count)[:count]
    return keep_users(data, data.user_ids.decode(np.sort(drawn)))


class Table:
    """The trainings of a table and their comparisons.

    Args:
        options: of the command line.
        config: of every training, but for its seed and item attributes.
        known: what is known from the start.
    """

    def __init__(self, options: argparse.Namespace, config: Any, known: dict[str, Any]) -> None:
        self._options, self._config = options, config
        self._data = datasets(options, config)
        self._parts = ("validation", "test") if options.test else ("validation",)
        self._gains: dict[tuple[str, str], list[Any]] = {}
        data = self._data[True]
        self.kinds = {name: attribute.kind.value for name, attribute in data.item_attributes.items()}
        sizes = {"users": data.user_count, "items": data.item_count, "interactions": len(data.sequences.items)}
        self.result: dict[str, Any] = {**known, "data": data.name, **sizes, "kinds": self.kinds, "rows": {}}

    def fill(self) -> None:
        """Trains every row with every seed, the rows of a seed one after the other, and writes after each."""
        groups = self._options.rows or (("inferred", "all") if self._options.data else GROUPS[1:])
        rows = rows_of(self.kinds, list(groups))
        for seed in self._options.seeds:
            first: dict[str, Any] = {}
            for row in rows:
                found, told = self._trained(row, seed)
                first = first or found
                self._compare(row.name, found, first)
                self.result["rows"].setdefault(row.name, {}).setdefault("seeds", {})[str(seed)] = told
                self._write()

    def _trained(self, row: Row, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        from attrformer import AttrFormer

        relations = replace(self._config.relations, item_attributes=row.attributes)
        data, clock = self._data[row.declared], time.perf_counter()
        # With a split of its own, the dataset is not filtered again: once it is cut, that would leave fewer items.
        split = self._config.data.split_of(data)
        model = AttrFormer(replace(self._config, relations=relations, seed=seed))
        model.fit(data, split=split, progress=self._options.progress)
        told: dict[str, Any] = {"seconds": round(time.perf_counter() - clock, 1)}
        found = {part: model.evaluate(data, split=split, part=part) for part in self._parts}
        for part, evaluation in found.items():
            told[part] = {seen: evaluation.metric(METRIC, seen).to_json() for seen in ("hidden", "ranked")}
        told["strengths"] = {name: round(strength, 4) for name, strength in model.relation_strengths().items()}
        return found, told

    def _compare(self, name: str, found: dict[str, Any], first: dict[str, Any]) -> None:
        """The paired test against the first row, of the mean over the seeds so far."""
        from attrformer.evaluation.bootstrap import paired_test

        for part, evaluation in found.items():
            if evaluation is first[part]:
                continue
            gains = self._gains.setdefault((name, part), [])
            gains.append(evaluation.per_target(METRIC) - first[part].per_target(METRIC))
            gain = np.mean(gains, axis=0)
            tested = paired_test(gain, np.zeros_like(gain), users=evaluation.users)
            compared = {"difference": tested.difference.to_json(), "p_value": tested.p_value, "users": tested.users}
            self.result["rows"].setdefault(name, {}).setdefault("against the first row", {})[part] = compared

    def _write(self) -> None:
        if self._options.out is not None:
            self._options.out.parent.mkdir(parents=True, exist_ok=True)
            self._options.out.write_text(json.dumps(self.result, indent=1) + "\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """The table for people, seen items hidden: a line for each row and part."""
        lines = [f"{self.result['data']} | seeds {', '.join(map(str, self._options.seeds))} | {METRIC}, seen=hidden"]
        for name, row in self.result["rows"].items():
            for part in self._parts:
                mean = np.mean([told[part]["hidden"]["value"] for told in row["seeds"].values()])
                lines.append(
                    f"{name:24} | {part:10} | {mean:.4f}{_compared(row, part)}{_strength(name, self.result['rows'])}"
                )
        return lines


def _compared(row: dict[str, Any], part: str) -> str:
    """How a row differs from the first one."""
    found = row.get("against the first row", {}).get(part)
    if found is None:
        return ""
    gap = found["difference"]
    return f" | {gap['value']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] | p {found['p_value']:.3f}"


def _strength(name: str, rows: dict[str, Any]) -> str:
    """Strength of the relation that a row has alone, or of the one that it lacks among all, the mean over the seeds."""
    group, _, column = name.partition(" ")
    holder = {"only": name, "without": "all"}.get(group)
    if holder not in rows:
        return ""
    return (
        f" | strength {np.mean([told['strengths'][f'item_{column}'] for told in rows[holder]['seeds'].values()]):.3f}"
    )


def main() -> None:
    """Measures, prints and writes."""
    parser, options = parse()
    import torch

    from attrformer.config import load_yaml, override
    from attrformer.recommender import Config
    from attrformer.training.device import keep_freed_memory

    torch.set_num_threads(options.threads)
    keep_freed_memory()
    try:
        config = Config() if options.config is None else load_yaml(Config, options.config)
        settings = [f"training.threads={options.threads}", f"training.epochs={options.epochs}", *options.set]
        known = {"hardware": bench.hardware(options.threads), "settings": settings, "latest": options.latest}
        table = Table(options, override(config, settings), known)
        table.fill()
    except AttrFormerError as error:
        parser.error(str(error))
    bench.report(table.result, table.lines(), options.json)


if __name__ == "__main__":
    main()
