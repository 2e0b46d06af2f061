"""What it costs to show new items: overall NDCG@20 against Recall@20 of items without a training interaction.

`time`: a global time split, where new items are real. `held-out`: training never sees a tenth of the items; the targets
are those of leave-one-out, known items and held-out ones (half of these for validation, half for test).

On validation, newness is fitted on every second user and judged on the others, and the other way round; on test, it is
fitted on validation. For each further offset of new items a line says what is lost and found, beside the model without
newness and, for held-out items, beside attribute similarity; once with new items at the places of their scores, and
once behind the other items of the list, as the rule `new_items={"share": 0, "last": true}` puts them. With
`relations.predicted_rows=true` new items get predicted rows before that.

`--oracle` says what the protocol leaves room for: new items have the scores of a second model, which was trained with
their interactions, and are raised in the same way.

python benchmarks/new_items.py --data data/beauty --protocol time --config options.yaml --part validation
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import bench
import cold_start_log
import numpy as np
from numpy.typing import NDArray

from attrformer.errors import AttrFormerError

OFFSETS = tuple(float(added) for added in np.arange(0.0, 4.01, 0.25))
ORACLE_OFFSETS = tuple(float(added) for added in np.arange(-2.0, 2.01, 0.25))
CUTOFF, TOGETHER = 20, 256
SIMILARITY = "attribute similarity"
LAST = "new items last, by further offset"
CURVE = "by further offset"
ORACLE = "trained with their interactions, by further offset"


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER", type=Path, required=True, help="dataset folder")
    parser.add_argument("--protocol", choices=("time", "held-out"), default="time", help="where new items come from")
    parser.add_argument("--part", choices=("validation", "test"), default="validation", help="what is judged")
    parser.add_argument("--config", metavar="FILE", type=Path, help="options of the model, as YAML")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one option, may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="of the run; the held-out items are always the same")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--oracle", action="store_true", help="held-out: also train with the held-out interactions")
    parser.add_argument("--run", metavar="FOLDER", type=Path, help="run folder; a model that lies there is taken")
    parser.add_argument("--out", metavar="FILE", type=Path, help="JSON file of the figures")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


def split_with_known_targets(dataset: Any, share: float) -> Any:
    """Leave-one-out whose training and contexts lack the held-out items; targets are known items and held-out ones.

    Args:
        dataset: the data.
        share: of the items that are held out, half of them for each part.
    """
    from attrformer.csr import offsets_of
    from attrformer.data import held_out_items
    from attrformer.data.splits import leave_one_out

    held_out = held_out_items(dataset, share)
    base = leave_one_out(dataset)
    hidden = np.zeros(dataset.item_count, dtype=bool)
    hidden[held_out.held_out] = True

    def part(targets: Any, own: NDArray[np.int32]) -> Any:
        allowed = ~hidden
        allowed[own] = True
        kept = targets.rows(np.flatnonzero(allowed[targets.items]))
        contexts = kept.contexts
        places = np.flatnonzero(~hidden[contexts.items])
        lengths = np.bincount(contexts.row_of_position()[places], minlength=len(contexts))
        kept = replace(kept, contexts=contexts.select(places, offsets_of(lengths)))
        return kept.rows(np.flatnonzero(kept.contexts.lengths))

    # Items of validation and of test are those of `held_out_items`, so that its figures can be compared.
    validation, test = part(base.validation, held_out.validation.items), part(base.test, held_out.test.items)
    return replace(held_out, validation=validation, test=test, held_out=None)


class KnownAllAlong:
    """Scores of one model, those of new items by another that was trained with their interactions.

    Args:
        plain: the model without them.
        trained: the model with them.
        new: bool `[items]`.
    """

    def __init__(self, plain: Any, trained: Any, new: NDArray[np.bool_]) -> None:
        self._plain, self._trained, self._new = plain, trained, new

    def score(self, users: NDArray[np.int64], contexts: Any) -> Any:
        """Scores of the catalogue, as logarithms of probabilities of either model."""
        scores, told = (each.score(users, contexts).log_softmax(1) for each in (self._plain, self._trained))
        scores[:, self._new] = told[:, self._new]
        return scores


def ranks(
    scorer: Any, targets: Any, new: NDArray[np.bool_], offsets: tuple[float, ...], last: bool = False
) -> NDArray[np.int64]:
    """Rank of each target with seen items hidden, int64 `[offsets, n]`, with further offsets of new items.

    Args:
        scorer: gives scores of the catalogue.
        targets: what is to be predicted.
        new: bool `[items]`.
        offsets: what is added to the scores of new items.
        last: whether new items among the first `CUTOFF` stand behind the others of these.
    """
    import torch

    found = np.empty((len(offsets), len(targets)), dtype=np.int64)
    is_new = torch.from_numpy(new)
    for start in range(0, len(targets), TOGETHER):
        rows = np.arange(start, min(start + TOGETHER, len(targets)))
        contexts = targets.contexts.rows(rows)
        scores = scorer.score(targets.users[rows].astype(np.int64), contexts).clone()
        wanted = torch.from_numpy(targets.items[rows].astype(np.int64)).unsqueeze(1)
        own = scores.gather(1, wanted)
        scores[contexts.row_of_position(), contexts.items.astype(np.int64)] = -torch.inf
        for place, more in enumerate(offsets):
            least = own + more * is_new[wanted]
            old, young = (scores[:, ~is_new] >= least).sum(1), (scores[:, is_new] + more >= least).sum(1)
            found[place, rows] = (old + young).numpy()
            if last:
                values, items = (scores + more * is_new).topk(min(CUTOFF, len(new)), 1)
                others = ((values > -torch.inf) & ~is_new[items]).sum(1)
                at_the_end = torch.where(is_new[wanted].squeeze(1), others + young, old)
                found[place, rows] = torch.where(old + young <= CUTOFF, at_the_end, old + young).numpy()
    return found


def figures(rank: NDArray[np.int64], is_new: NDArray[np.bool_]) -> dict[str, float]:
    """NDCG@20 of all targets, of known and of new items, and Recall@20 of new items."""
    gain = np.where(rank <= CUTOFF, 1.0 / np.log2(rank + 1.0), 0.0)
    return {
        "NDCG@20": float(gain.mean()),
        "NDCG@20 known items": float(gain[~is_new].mean()),
        "NDCG@20 new items": float(gain[is_new].mean()),
        "Recall@20 new items": float((rank[is_new] <= CUTOFF).mean()),
    }


def rounds_of(split: Any, part: str) -> list[tuple[Any, Any]]:
    """What newness is fitted on and what is judged, one pair or two.

    Args:
        split: training, validation and test.
        part: "validation" or "test".
    """
    if part == "test":
        return [(split.validation, split.test)]
    even, odd = (split.validation.rows(np.flatnonzero(split.validation.users % 2 == rest)) for rest in (0, 1))
    return [(even, odd), (odd, even)]


def measure(dataset: Any, split: Any, states: Any, config: Any, options: argparse.Namespace) -> dict[str, Any]:
    """The figures without newness, with it, and with further offsets.

    Args:
        dataset: the data.
        split: training, validation and test.
        states: of a model without newness, and of one that was trained with the interactions of new items, or None.
        config: options of the model.
        options: of the command line.
    """
    from attrformer.recommender.newness import with_newness
    from attrformer.recommender.predicted_rows import with_predicted_rows

    plain, trained = states
    new = np.bincount(split.train.items, minlength=dataset.item_count) == 0
    grown = with_predicted_rows(plain) if config.relations.predicted_rows else plain
    rounds = rounds_of(split, options.part)
    found: dict[str, list[NDArray[np.int64]]] = {}

    def add(name: str, scorer: Any, judged: Any, offsets: tuple[float, ...] = (0.0,), last: bool = False) -> None:
        found.setdefault(name, []).append(ranks(scorer, judged, new, offsets, last))

    for fitted_on, judged in rounds:
        fitted = with_newness(grown, dataset, replace(split, validation=fitted_on), config.relations, options.seed)
        add("without newness", plain, judged)
        if options.protocol == "held-out":
            add(SIMILARITY, cold_start_log.AttributeSimilarity(dataset, config.relations), judged)
        add(CURVE, fitted, judged, OFFSETS)
        add(LAST, fitted, judged, OFFSETS, last=True)
        if trained is not None:
            add(ORACLE, KnownAllAlong(plain, trained, new), judged, ORACLE_OFFSETS)
    is_new = new[np.concatenate([judged.items for _, judged in rounds])]
    result: dict[str, Any] = {"targets": len(is_new), "targets that are new items": int(is_new.sum())}
    for name, parts in found.items():
        each = [figures(rank, is_new) for rank in np.concatenate(parts, axis=1)]
        offsets = ORACLE_OFFSETS if name == ORACLE else OFFSETS
        result[name] = {f"{o:g}": f for o, f in zip(offsets, each, strict=True)} if len(each) > 1 else each[0]
    return result


def lines(result: dict[str, Any]) -> list[str]:
    """The figures for people, a line for each."""
    before = result["without newness"]["NDCG@20"]
    named = {name: result[name] for name in ("without newness", SIMILARITY) if name in result}
    named |= {f"newness + {more}": found for more, found in result[CURVE].items()}
    named |= {f"newness + {more}, new items last": found for more, found in result[LAST].items()}
    named |= {f"oracle + {more}": found for more, found in result.get(ORACLE, {}).items()}
    return [
        f"{name}: "
        + ", ".join(f"{what} {value:.4f}" for what, value in found.items())
        + f" ({found['NDCG@20'] / before - 1:+.1%})"
        for name, found in named.items()
    ]


def models(dataset: Any, split: Any, config: Any, options: argparse.Namespace) -> tuple[Any, Any]:
    """The states of the model, trained or loaded, and of the one that was trained with held-out interactions, or None.

    Args:
        dataset: the data.
        split: training, validation and test.
        config: options of the model.
        options: of the command line.
    """
    from attrformer import AttrFormer
    from attrformer.config import override
    from attrformer.data.splits import leave_one_out

    # What new items get is added afterwards, so that what it costs can be told.
    without = override(config, ["relations.predicted_rows=false"])
    known = None if options.run is None else options.run / "model"
    if known is not None and known.is_dir():
        plain = AttrFormer.load(known)
    else:
        plain = AttrFormer(without).fit(dataset, split=split, run=options.run, progress=False)
    if not options.oracle or options.protocol != "held-out":
        return plain.fitted, None
    everything = replace(split, train=leave_one_out(dataset).train)
    return plain.fitted, AttrFormer(without).fit(dataset, split=everything, progress=False).fitted


def main() -> None:
    """Trains or loads, measures, prints and writes."""
    parser, options = parse()
    import torch

    from attrformer import Dataset
    from attrformer.config import load_yaml, override
    from attrformer.recommender import Config

    torch.set_num_threads(options.threads)
    try:
        config = Config() if options.config is None else load_yaml(Config, options.config)
        settings = [f"seed={options.seed}", f"training.threads={options.threads}"]
        settings += ["data.split=time"] if options.protocol == "time" else []
        config = override(config, [*settings, *options.set])
        dataset = config.data.filtered(Dataset.load(options.data, catalogue=config.data.catalogue))
        held_out = options.protocol == "held-out"
        split = split_with_known_targets(dataset, config.data.held_out) if held_out else config.data.split_of(dataset)
        states = models(dataset, split, config, options)
        described = {
            "hardware": bench.hardware(options.threads),
            "data": dataset.name,
            "protocol": options.protocol,
            "part": options.part,
            "seed": options.seed,
            "set": options.set,
        }
        result = described | measure(dataset, split, states, config, options)
    except AttrFormerError as error:
        parser.error(str(error))
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    bench.report(result, lines(result), options.json)


if __name__ == "__main__":
    main()
