"""How long a raw archive takes to become a dataset in memory, and to be split.

python benchmarks/raw_to_dataset.py raw/ml-1m.zip
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import bench

from attrformer.errors import AttrFormerError


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("zip", metavar="ZIP", type=Path, help="raw archive, such as ml-1m.zip")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of polars")
    parser.add_argument("--repeats", type=int, default=3, help="rounds that count")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser, parser.parse_args()


def main() -> None:
    """Measures and prints."""
    parser, options = parse()
    # Polars reads this once, when it is first imported.
    os.environ["POLARS_MAX_THREADS"] = str(options.threads)
    from attrformer import Dataset, leave_one_out
    from attrformer.data.formats import Tables, read_raw

    def dataset_of(tables: Tables) -> Dataset:
        return Dataset.from_frames(tables.interactions, tables.items, tables.users, tables.item_relations)

    def whole() -> Dataset:
        return dataset_of(read_raw(options.zip))

    try:
        tables, dataset = read_raw(options.zip), whole()
        runs: dict[str, Callable[[], object]] = {
            "read": lambda: read_raw(options.zip),
            "dataset": lambda: dataset_of(tables),
            "both": whole,
            "split": lambda: leave_one_out(dataset),
        }
        seconds = bench.times(runs, options.repeats)
    except AttrFormerError as error:
        parser.error(str(error))
    count = len(dataset.sequences.items)
    result = {
        "hardware": bench.hardware(options.threads),
        "interactions": count,
        "users": dataset.user_count,
        "items": dataset.item_count,
        "seconds": seconds,
    }
    words = {
        "read": "raw files to tables",
        "dataset": "tables to dataset",
        "both": "raw files to dataset",
        "split": "leave-one-out",
    }
    lines = [f"{count:,} interactions, {dataset.user_count:,} users, {dataset.item_count:,} items"]
    for name, value in seconds.items():
        lines.append(f"  {words[name]:22} median {value['median']:6.2f} s  best {value['best']:6.2f} s")
    bench.report(result, lines, options.json)


if __name__ == "__main__":
    main()
