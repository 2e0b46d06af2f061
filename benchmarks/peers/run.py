"""The SASRec of RecTools, of RecBole and of this project on one split, side by side.

python -m benchmarks.peers.run --data ../shared/data/beauty
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.peers import handover
from benchmarks.peers.environments import PEERS, interpreter, run_script
from benchmarks.peers.exchange import HandedScores, export

from attrformer.data import Dataset, Split, core_filter, keep_users, leave_one_out
from attrformer.errors import AttrFormerError, DataError
from attrformer.evaluation import Evaluation, evaluate
from attrformer.recommender import Recommender
from benchmarks import bench

SHOWN = ("NDCG@20", "Recall@20")


def parse(arguments: list[str] | None = None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.run",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--core", type=int, help="least interactions of every user and item")
    parser.add_argument("--users", type=int, help="only so many users, drawn by the seed: for a trial")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="which to run, in turn")
    parser.add_argument("--work", type=Path, default=Path("runs/peers"), help="folder for environments and vectors")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/peers.jsonl"), help="a line each")
    parser.add_argument("--epochs", type=int, default=100, help="most epochs")
    parser.add_argument("--patience", type=int, default=4, help="epochs without a better validation before the end")
    parser.add_argument("--threads", type=int, default=1, help="threads of each training")
    parser.add_argument("--keep-memory", action="store_true", help="let the peers' C library keep freed memory")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and bootstrap")
    parser.add_argument("--python", default=sys.executable, help="makes the environments; 3.11 or 3.12")
    parser.add_argument("--reuse", action="store_true", help="do not train again what is in the work folder")
    return parser, parser.parse_args(arguments)


def load(options: argparse.Namespace) -> Dataset:
    """The data, filtered as the options ask."""
    dataset = Dataset.load(options.data)
    if options.core is not None:
        dataset = core_filter(dataset, options.core)
    if options.users is not None and options.users < dataset.user_count:
        chosen = np.random.default_rng(options.seed).choice(dataset.user_count, options.users, replace=False)
        dataset = keep_users(dataset, dataset.user_ids.decode(np.sort(chosen)))
    return dataset


def train(name: str, options: argparse.Namespace, digest: str) -> Path:
    """Trains a peer in a process of its own.

    Args:
        name: of the peer.
        options: of the command line.
        digest: of the exported split.

    Returns:
        The folder with what it handed back.
    """
    out = options.work / name
    if not (options.reuse and (out / handover.RESULT).exists()):
        shutil.rmtree(out, ignore_errors=True)
        own = PEERS[name].requirements is None
        python = interpreter(name, options.work, sys.executable if own else options.python)
        settings = ("epochs", "patience", "threads", "seed")
        arguments = [f"--{setting}={getattr(options, setting)}" for setting in settings]
        places = [str(options.work / "split"), str(out)]
        run_script(name, python, [*places, *arguments], options.threads, options.keep_memory)
    # Lightning ends as if all was well where somebody ends it.
    if not (out / handover.RESULT).exists():
        raise DataError("nothing was handed over", fix="Look at the output above and run it again", source=str(out))
    if handover.read_result(out)["split"] != digest:
        raise DataError("it was trained on another split", fix="Leave out --reuse", source=str(out))
    return out


def measure(name: str, folder: Path, dataset: Dataset, split: Split, seed: int) -> Evaluation:
    """Full rankings of the test targets by the scores of a peer.

    Args:
        name: of the peer.
        folder: with what it handed back.
        dataset: the data.
        split: of the data.
        seed: of the bootstrap.
    """
    if PEERS[name].requirements is None:
        return Recommender.load(folder / "model", device="cpu").evaluate(dataset, split=split)
    handed = handover.Handover.read(folder)
    return evaluate(
        HandedScores(handed, dataset.item_count),
        split.test,
        item_count=dataset.item_count,
        dataset=dataset.name,
        selection="best epoch by validation NDCG@20 (seen=ranked)",
        popularity=np.bincount(split.train.items, minlength=dataset.item_count),
        seed=seed,
    )


def line(name: str, evaluation: Evaluation, result: dict[str, Any], command: str) -> dict[str, Any]:
    """Everything that is kept of a peer.

    Args:
        name: of the peer.
        evaluation: of its scores.
        result: its measurements.
        command: that made it.
    """
    return {
        "peer": name,
        "model": "SASRec",
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command,
        "hardware": bench.hardware(result["threads"]),
        **result,
        "figures": evaluation.to_json(),
    }


def append(path: Path, content: dict[str, Any]) -> None:
    """Adds a line to a file of JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")


def words(content: dict[str, Any]) -> str:
    """A line of the results for people."""
    figures = [
        f"{name} {seen} {content['figures'][f'seen={seen}'][name]['value']:.4f}"
        for name in SHOWN
        for seen in ("hidden", "ranked")
    ]
    return (
        f"{content['peer']:10} {'  '.join(figures)} | epoch {content['best_epoch']} of {content['epochs']}, "
        f"{content['seconds']['train']:,.0f} s, {content['seconds_per_epoch']:.1f} s an epoch, "
        f"{content['peak_memory_bytes'] / 2**20:,.0f} MiB"
    )


def main(arguments: list[str] | None = None) -> None:
    """Trains, measures, adds the lines and prints them.

    Args:
        arguments: of the command line; those of the process where None.
    """
    parser, options = parse(arguments)
    command = " ".join([parser.prog, *(sys.argv[1:] if arguments is None else arguments)])
    options.work = options.work.resolve()
    try:
        dataset = load(options)
        split = leave_one_out(dataset)
        digest = export(dataset, split, options.work / "split")
        dataset.save(options.work / "split" / "data")
        for name in options.peers:
            folder = train(name, options, digest)
            evaluation = measure(name, folder, dataset, split, options.seed)
            content = line(name, evaluation, handover.read_result(folder), command)
            append(options.results, content)
            print(words(content), flush=True)
    except AttrFormerError as error:
        parser.error(str(error))
    except subprocess.CalledProcessError as error:
        parser.error(f"a step ended with status {error.returncode}: {' '.join(map(str, error.cmd))}")


if __name__ == "__main__":
    main()
