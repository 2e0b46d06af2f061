"""How long a saved model takes to rank the whole catalogue for every test target, both seen variants.

python benchmarks/evaluation_speed.py runs/ml-1m --data data/ml-1m
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bench

from attrformer.errors import AttrFormerError


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="folder that `attrformer train` wrote")
    parser.add_argument("--data", required=True, metavar="FOLDER", type=Path, help="dataset folder")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--repeats", type=int, default=1, help="rounds that count")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


def main() -> None:
    """Measures and prints."""
    parser, options = parse()
    import torch

    from attrformer import AttrFormer, Dataset
    from attrformer.training.device import keep_freed_memory

    torch.set_num_threads(options.threads)
    keep_freed_memory()
    try:
        model = AttrFormer.load(options.run / "model", device="cpu")
        dataset = model.config.data.filtered(Dataset.load(options.data, catalogue=model.config.data.catalogue))
        split = model.config.data.split_of(dataset)
        found = []
        runs = {"evaluate": lambda: found.append(model.evaluate(dataset, split=split))}
        # Minutes for a large run, beside which the first call's preparations are nothing.
        seconds = bench.times(runs, options.repeats, warm_up=False)["evaluate"]
    except AttrFormerError as error:
        parser.error(str(error))
    evaluation, users = found[0], len(split.test)
    each = {which: users / value for which, value in seconds.items()}
    result = {
        "hardware": bench.hardware(options.threads),
        "protocol": evaluation.protocol.line(),
        "targets": users,
        "items": dataset.item_count,
        "seconds": seconds,
        "users_per_second": each,
    }
    lines = [
        evaluation.protocol.line(),
        f"{users:,} users x {dataset.item_count:,} items: {seconds['median']:.2f} s ({seconds['best']:.2f} s at best), "
        f"{each['median']:,.0f} users/s ({each['best']:,.0f} at best)",
    ]
    bench.report(result, lines, options.json)


if __name__ == "__main__":
    main()
