"""What new items and new interactions come to without training: held-out items, and an update against a full retrain.

Held-out items: training never sees a tenth of the items; their targets are ranked in the whole catalogue and among
held-out items alone, by AttrFormer, by attribute similarity and by popularity.

Update: AttrFormer is fitted to all but the last fifth of the interactions by time, is then given the new items and the
new interactions (`add_items`, `update`), and is compared with a model that was fitted to all of them. Each user's very
last interaction is the target and is seen by nobody.

python benchmarks/cold_start.py --data data/beauty --config configs/beauty.yaml --out beauty.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import bench
import cold_start_log

from attrformer.errors import AttrFormerError

METRICS = ("Recall@20", "NDCG@20")
SEEN = ("hidden", "ranked")
PARTS = ("held-out", "update")


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER", type=Path, help="dataset folder; the embedded sample without it")
    parser.add_argument("--config", metavar="FILE", type=Path, help="options of the model, as YAML")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option, may be repeated")
    parser.add_argument("--epochs", type=int, help="most epochs of each training; as the options say without it")
    parser.add_argument("--seed", type=int, default=0, help="of the run; the held-out items are always the same")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured")
    parser.add_argument("--share", type=float, default=0.2, help="share of the interactions, the latest, that are new")
    parser.add_argument("--warm-epochs", type=int, default=1, help="epochs of a warm start on everything; 0: none")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--out", metavar="FILE", type=Path, help="JSON file, written again after each figure")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


class Figures:
    """What has been measured so far.

    Args:
        result: what is known from the start.
        out: JSON file that holds it, or None.
    """

    def __init__(self, result: dict[str, Any], out: Path | None) -> None:
        self.result, self._out = result, out

    def add(self, part: str, name: str, values: dict[str, Any]) -> None:
        """Adds figures, and writes all of them."""
        self.result.setdefault(part, {}).setdefault(name, {}).update(values)
        if self._out is not None:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            self._out.write_text(json.dumps(self.result, indent=2) + "\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """The figures for people, a line for each."""
        lines = []
        for part in PARTS:
            for name, values in self.result.get(part, {}).items():
                for what, found in values.items():
                    lines.append(f"{part} | {name} | {what}: {_shown(found)}")
        return lines


def _shown(found: Any) -> str:
    if isinstance(found, float):
        return f"{found:.4g}"
    if not isinstance(found, dict):
        return str(found)
    return ", ".join(
        f"{name} {value['value'] if isinstance(value, dict) else value:.4f}" for name, value in found.items()
    )


def of_evaluation(evaluation: Any) -> dict[str, Any]:
    """Protocol line and both figures of both seen variants, with their intervals."""
    figures = {f"{name} seen={seen}": evaluation.metric(name, seen).to_json() for seen in SEEN for name in METRICS}
    return {"protocol": evaluation.protocol.line(), "figures": figures}


def held_out_part(dataset: Any, config: Any, figures: Figures) -> None:
    """Ranks targets that training never saw, in the whole catalogue and among each other."""
    from attrformer import AttrFormer
    from attrformer.data import held_out_items
    from attrformer.evaluation import evaluate, evaluate_among
    from attrformer.models.baselines.popularity import PopularityConfig
    from attrformer.recommender import Recommender

    split = held_out_items(dataset, config.data.held_out)
    figures.add("held-out", "split", {f"note {number + 1}": said for number, said in enumerate(split.dropped)})

    def add(name: str, whole: Any, among: Any) -> None:
        figures.add("held-out", name, {"whole catalogue": of_evaluation(whole)["figures"]})
        figures.add("held-out", name, {"among held-out items": of_evaluation(among)["figures"]})
        figures.add("held-out", name, {"protocol": whole.protocol.line()})

    popular = Recommender(replace(config, model=PopularityConfig())).fit(dataset, split=split, progress=False)
    found = popular.evaluate(dataset, split=split)
    add("popularity", found, found.held_out)
    similar = cold_start_log.AttributeSimilarity(dataset, config.relations)
    options = {"item_count": dataset.item_count, "dataset": dataset.name, "split": split.name, "lists": False}
    among = evaluate_among(
        similar, split.test, split.held_out, **{name: value for name, value in options.items() if name != "lists"}
    )
    add("attribute similarity", evaluate(similar, split.test, **options), among)
    found = AttrFormer(config).fit(dataset, split=split, progress=False).evaluate(dataset, split=split)
    add("attrformer", found, found.held_out)


def update_part(dataset: Any, config: Any, figures: Figures, options: argparse.Namespace) -> None:
    """Fits to the older interactions, updates with the newer ones, and compares with fitting to both."""
    from attrformer import AttrFormer

    with tempfile.TemporaryDirectory() as folder:
        log = cold_start_log.two_parts(dataset, options.share, Path(folder))
    figures.add("update", "log", log.described())
    old_split, whole_split = (cold_start_log.split_of(data, options.seed) for data in (log.old, log.whole))

    def add(name: str, model: Any, seconds: dict[str, float]) -> dict[str, float]:
        found = model.evaluate(log.whole, split=log.test)
        told = {metric: float(found.per_target(metric).mean()) for metric in METRICS}
        figures.add("update", name, of_evaluation(found) | {f"seconds to {what}": s for what, s in seconds.items()})
        if log.of_new_items.any():
            new = {metric: float(found.per_target(metric)[log.of_new_items].mean()) for metric in METRICS}
            figures.add("update", name, {"targets that are new items, seen=hidden": new})
        return told

    def fitted(data: Any, split: Any, settings: Any = config, **more: Any) -> tuple[Any, float]:
        clock = time.perf_counter()
        return AttrFormer(settings).fit(data, split=split, progress=False, **more), time.perf_counter() - clock

    model, seconds = fitted(log.old, old_split)
    start = time.perf_counter()
    if len(log.new_items):
        model.add_items(log.new_items)
    grown = time.perf_counter() - start
    before = add("without update", model, {"fit": seconds, "add items": grown})
    if options.warm_epochs:
        shorter = replace(config, training=replace(config.training, epochs=options.warm_epochs))
        warm, seconds = fitted(log.whole, whole_split, shorter, warm_start=model)
        add(f"warm start, {options.warm_epochs} epochs", warm, {"fit": seconds})
    start = time.perf_counter()
    model.update(log.new, log.new_users)
    after = add("updated", model, {"update": time.perf_counter() - start})
    model, seconds = fitted(log.whole, whole_split)
    retrained = add("retrained", model, {"fit": seconds})
    figures.add("update", "recovered of a retrain, seen=hidden", _recovered(before, after, retrained))


def _recovered(before: dict[str, float], after: dict[str, float], retrained: dict[str, float]) -> dict[str, Any]:
    """(updated - without update) / (retrained - without update); nothing where retraining gained nothing."""
    gained = {name: retrained[name] - before[name] for name in METRICS}
    return {
        name: (after[name] - before[name]) / gained[name] if gained[name] > 0 else "retraining gained nothing"
        for name in METRICS
    }


def main() -> None:
    """Measures, prints and writes."""
    parser, options = parse()
    import torch

    from attrformer import Dataset
    from attrformer.config import load_yaml, override
    from attrformer.data.sample import sample_dataset
    from attrformer.recommender import Config
    from attrformer.training.device import keep_freed_memory

    torch.set_num_threads(options.threads)
    keep_freed_memory()
    try:
        config = Config() if options.config is None else load_yaml(Config, options.config)
        settings = [f"seed={options.seed}", f"training.threads={options.threads}", *options.set]
        settings += [] if options.epochs is None else [f"training.epochs={options.epochs}"]
        config = override(config, settings)
        given = options.data
        dataset = sample_dataset() if given is None else Dataset.load(given, catalogue=config.data.catalogue)
        dataset = config.data.filtered(dataset)
        known = {"hardware": bench.hardware(options.threads), "data": dataset.name, "seed": options.seed}
        figures = Figures({**known, "epochs": config.training.epochs}, options.out)
        if "held-out" in options.parts:
            held_out_part(dataset, config, figures)
        if "update" in options.parts:
            update_part(dataset, config, figures, options)
    except AttrFormerError as error:
        parser.error(str(error))
    bench.report(figures.result, figures.lines(), options.json)


if __name__ == "__main__":
    main()
