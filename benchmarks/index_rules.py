"""What rules cost in the index: lists under filters and limits against lists without, each history in turn.

The catalogue is that of `index_scale.py`, with a random number and a brand for each item. Every history is answered
without rules and with each of them before the next one, so that whatever else runs on the machine counts for all.

python benchmarks/index_rules.py --items 100000 --out benchmarks/results/index_rules.json
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import bench
import index_catalogue
import index_scale
import numpy as np

K = index_scale.K
RULES: dict[str, dict[str, Any]] = {
    "none": {},
    "where keeps 0.1 %": {"where": "draw < 0.001"},
    "where keeps 1 %": {"where": "draw < 0.01"},
    "where keeps 10 %": {"where": "draw < 0.1"},
    "where keeps 50 %": {"where": "draw < 0.5"},
    "boost": {"boost": [("draw < 0.5", 1.0)]},
    "at_most": {"at_most": {"brand": 2}},
    "diversity": {"diversity": 0.3},
    "new_items": {"new_items": {"share": 0.1}},
    "all of them": {
        "where": "draw < 0.5",
        "boost": [("draw < 0.25", 1.0)],
        "at_most": {"brand": 2},
        "diversity": 0.3,
        "pinned": {1: 0},
    },
}
"""Rules by the name that the results have for them."""


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--items", type=int, default=100_000, help="catalogue size")
    parser.add_argument("--queries", type=int, default=100, help="histories that are answered")
    parser.add_argument("--content", type=int, default=256, help="items taken from the search over the content part")
    parser.add_argument("--expansion-add", type=int, default=64, help="items looked at when one is put into the graph")
    parser.add_argument("--near", type=int, default=128, help="entries of each co-occurrence row")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch, and of building")
    parser.add_argument("--seed", type=int, default=0, help="of catalogue, histories and values")
    parser.add_argument("--work", metavar="FOLDER", type=Path, help="keeps the graph, so that it is built once")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="JSON file, added to by size")
    return parser.parse_args()


def main() -> None:
    """Measures one size."""
    options = parse()
    found = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {"sizes": {}}
    figures = measure(options)
    found["sizes"][str(options.items)] = figures
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for name, each in figures["rules"].items():
        print(
            f"{options.items:,} items, {name}: {each['p50_ms']:.2f} ms p50 ({each['times']:.2f} times), "
            f"{each['p99_ms']:.1f} ms p99, recall@{K} {each['recall']:.4f}, prepared in {each['prepared_ms']:.0f} ms"
        )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one size."""
    import torch

    from attrformer.retrieval import IndexOptions

    torch.set_num_threads(options.threads)
    shape = index_catalogue.Shape(options.items, min(200_000, 2 * options.items), options.near)
    model = index_catalogue.make_model(shape, options.seed)
    give_values(model, options.seed)
    wanted = IndexOptions(method="approximate", content=options.content, expansion_add=options.expansion_add)
    options.measure = options.items
    index, _ = index_scale.make_index(model, wanted, options)
    histories = index_catalogue.make_histories(model, options.queries, options.seed)
    choices, prepared = prepare(model)
    clocks: dict[str, list[float]] = {name: [] for name in RULES}
    shares: dict[str, list[float]] = {name: [] for name in RULES}
    for row in range(-10, options.queries):
        context = histories.rows(np.array([max(row, 0)]))
        right = exact(model, context)
        # Whichever comes first finds nothing of the history in the cache, so that each comes first in turn.
        turn = (row + 10) % len(RULES)
        for name in [*RULES][turn:] + [*RULES][:turn]:
            choice = choices[name]
            start = time.perf_counter()
            items = index.search_codes(np.array([-1]), context, choice)[0][0]
            passed = (time.perf_counter() - start) * 1e3
            if row >= 0:
                clocks[name].append(passed)
                best = best_of(right.clone(), choice, context, model)
                shares[name].append(len(np.intersect1d(items, best)) / len(best) if len(best) else 1.0)
    plain = float(np.percentile(clocks["none"], 50))
    return {
        "command": shlex.join(["python", "benchmarks/index_rules.py", *sys.argv[1:]]),
        "seed": options.seed,
        "hardware": bench.hardware(options.threads) | {"load": [round(one, 2) for one in os.getloadavg()]},
        "queries": options.queries,
        "k": K,
        "rules": {
            name: {
                "p50_ms": round(float(np.percentile(times, 50)), 3),
                "p99_ms": round(float(np.percentile(times, 99)), 3),
                "times": round(float(np.percentile(times, 50)) / plain, 3),
                "recall": round(float(np.mean(shares[name])), 5),
                "prepared_ms": round(prepared[name], 1),
            }
            for name, times in clocks.items()
        },
    }


def give_values(model: Any, seed: int) -> None:
    """A random number and the brand of each item."""
    from attrformer.data.attributes import Attribute, AttributeKind
    from attrformer.rules.item_values import ItemValues, numbers_attribute

    count = model.fitted.relations.n_items
    draw = numbers_attribute("draw", AttributeKind.NUMERIC, np.random.default_rng([seed, 3]).random(count))
    feature = model.fitted.relations.features["brand"]
    known = feature.weights[:, 0] > 0
    offsets = np.concatenate([[0], np.cumsum(known)]).astype(np.int64)
    codes = feature.codes[known, 0].astype(np.int32)
    brand = Attribute("brand", AttributeKind.CATEGORICAL, offsets, codes, feature.labels, np.empty(0))
    model.fitted.know(item_values=ItemValues(count, {"draw": draw, "brand": brand}))


def prepare(model: Any) -> tuple[dict[str, Any], dict[str, float]]:
    """The choice that each rule makes, and the milliseconds that preparing it took."""
    from attrformer.recommender.choice import Choice
    from attrformer.recommender.shop_rules import compiled
    from attrformer.recommender.unknown import REFUSE
    from attrformer.rules.request import ShopRules

    choices, prepared = {}, {}
    for name, rules in RULES.items():
        start = time.perf_counter()
        shop = ShopRules.read(rules)
        found = None if shop is None else compiled(shop, model.fitted, REFUSE)
        prepared[name] = (time.perf_counter() - start) * 1e3
        choices[name] = Choice(K, rules=found)
    return choices, prepared


def exact(model: Any, context: Any) -> Any:
    """The scores of all items for one history."""
    from attrformer.retrieval.finding import catalogue_scores

    _, outputs = model.fitted.outputs(np.array([-1]), context)
    return catalogue_scores(outputs)


def best_of(scores: Any, choice: Any, context: Any, model: Any) -> Any:
    """The list that a choice makes of all scores."""
    from attrformer.recommender.requests import Group
    from attrformer.recommender.ruled_lists import listed

    _, items, _ = listed(model.fitted, choice, scores, Group(np.array([0]), context))
    return items.numpy()


if __name__ == "__main__":
    main()
