"""Time, recall and memory of the index over invented catalogues of growing size, against the exact search.

Sizes that the file of results holds already are not measured again; each size has a process of its own.

python benchmarks/index_scale.py --sizes 10000 100000 1000000 --out benchmarks/results/index_scale.json
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench
import index_catalogue
import numpy as np

K = 20


def parse() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The parser and the options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="catalogue sizes")
    parser.add_argument("--queries", type=int, default=200, help="histories whose answer is timed")
    parser.add_argument("--content", type=int, default=256, help="items taken from the search over the content part")
    parser.add_argument("--expansion-add", type=int, default=64, help="items looked at when one is put into the graph")
    parser.add_argument("--near", type=int, default=128, help="entries of each co-occurrence row")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch, and of building")
    parser.add_argument("--seed", type=int, default=0, help="of catalogue and histories")
    parser.add_argument("--work", metavar="FOLDER", type=Path, help="keeps the graphs, so that they are built once")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="JSON file, added to by size")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    return parser, parser.parse_args()


def main() -> None:
    """Measures every size that is missing."""
    parser, options = parse()
    if options.measure is not None:
        print(json.dumps(measure(options)))
        return
    found = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {"sizes": {}}
    for size in options.sizes:
        if str(size) in found["sizes"]:
            print(f"{size:,} items: measured already")
            continue
        command = [sys.executable, __file__, *sys.argv[1:], f"--measure={size}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            parser.error(f"{size:,} items could not be measured")
        found["sizes"][str(size)] = json.loads(done.stdout)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = options.out.with_name(f"{options.out.name}.tmp")
        unfinished.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(options.out)
        show(size, found["sizes"][str(size)])


def show(size: int, figures: dict[str, Any]) -> None:
    """One line for people."""
    index, exact = figures["index"], figures["exact"]
    print(
        f"{size:,} items: {index['p50_ms']:.1f} ms p50, {index['p99_ms']:.1f} ms p99 ({index['processor_p50_ms']:.1f} "
        f"ms of the processor), recall@{K} {figures['recall']:.4f}; exact {exact['p50_ms']:.1f} ms; "
        f"graph {figures['graph_mib']} MiB, built in {figures['build']['seconds']:.0f} s"
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one size."""
    import torch

    from attrformer.recommender.ranking import Choice
    from attrformer.retrieval import IndexOptions

    torch.set_num_threads(options.threads)
    shape = index_catalogue.Shape(options.measure, min(200_000, 2 * options.measure), options.near)
    start = time.perf_counter()
    model = index_catalogue.make_model(shape, options.seed)
    print(f"model made in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    before = _resident()
    wanted = IndexOptions(method="approximate", content=options.content, expansion_add=options.expansion_add)
    index, build = make_index(model, wanted, options)
    with_index = _resident()
    histories = index_catalogue.make_histories(model, options.queries, options.seed)
    nobody, choice = np.array([-1]), Choice(K)
    values = _attributes(model, options)
    answers: list[Any] = []

    def search(row: int) -> None:
        asked = {name: codes[row : row + 1] for name, codes in values.items()}
        answers.append(index.search_codes(nobody, histories.rows(np.array([row])), choice, asked)[0][0])

    for row in range(min(20, options.queries)):
        search(row)
    answers.clear()
    figures = timed(search, options.queries)
    right: list[Any] = []
    exact = timed(lambda row: right.append(best(index, histories, values, row)), options.queries)
    shares = [len(np.intersect1d(a, b)) / len(b) for a, b in zip(answers, right, strict=True)]
    ids = [histories.row(row).tolist() for row in range(min(50, options.queries))]
    frames = timed(lambda row: index.search(histories=[ids[row]], k=K), len(ids))
    return {
        "command": shlex.join(["python", "benchmarks/index_scale.py", *_plain(sys.argv[1:])]),
        "seed": options.seed,
        "hardware": bench.hardware(options.threads) | {"load": [round(one, 2) for one in os.getloadavg()]},
        "shape": vars(shape) | {"width": index_catalogue.WIDTH},
        "options": vars(wanted),
        "queries": options.queries,
        "k": K,
        "recall": float(np.mean(shares)),
        "recall_of_the_worst_tenth": float(np.sort(shares)[: max(1, len(shares) // 10)].mean()),
        "index": figures,
        "with_ids_and_frames": frames,
        "exact": exact,
        "build": build,
        "graph_mib": index.memory >> 20,
        "resident_mib": {"model": before, "with_index": with_index, "after_search": _resident()},
    }


def make_index(model: Any, wanted: Any, options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """An index, read from the work folder where one of this model lies there, and how long it took to build."""
    from attrformer.errors import CheckpointError
    from attrformer.retrieval import Index

    if options.work is not None:
        folder = options.work / f"{options.measure}-{options.seed}"
        try:
            start = time.perf_counter()
            kept = Index.load(folder, model)
            build = json.loads((folder / "build.json").read_text(encoding="utf-8"))
            build["load_seconds"] = round(time.perf_counter() - start, 2)
            return Index(model, wanted, kept._graph), build
        except (CheckpointError, OSError):
            pass
    clock, processor = time.perf_counter(), time.process_time()
    index = Index.build(model, wanted, threads=options.threads, progress=_say)
    build = {
        "seconds": round(time.perf_counter() - clock, 2),
        "processor_seconds": round(time.process_time() - processor, 2),
        "threads": options.threads,
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if options.work is None else options.work / f"{options.measure}-{options.seed}"
        index.save(folder)
        build["file_mib"] = sum(path.stat().st_size for path in folder.iterdir()) >> 20
        (folder / "build.json").write_text(json.dumps(build), encoding="utf-8")
    return index, build


def best(index: Any, histories: Any, values: dict[str, Any], row: int) -> Any:
    """The best items of one history by the exact search."""
    import torch

    from attrformer.retrieval.finding import catalogue_scores

    context = histories.rows(np.array([row]))
    asked = {name: codes[row : row + 1] for name, codes in values.items()}
    _, outputs = index.model.fitted.outputs(np.array([-1]), context, asked)
    scores = catalogue_scores(outputs)[0]
    scores[torch.from_numpy(context.items.astype(np.int64))] = -torch.inf
    return scores.topk(K).indices.numpy()


def timed(run: Callable[[int], Any], count: int) -> dict[str, float]:
    """Milliseconds by the clock and of the processor."""
    clocks, processors = [], []
    for number in range(count):
        clock, processor = time.perf_counter(), time.process_time()
        run(number)
        processors.append((time.process_time() - processor) * 1e3)
        clocks.append((time.perf_counter() - clock) * 1e3)
    return {
        "p50_ms": round(float(np.percentile(clocks, 50)), 3),
        "p99_ms": round(float(np.percentile(clocks, 99)), 3),
        "best_ms": round(min(clocks), 3),
        "processor_p50_ms": round(float(np.percentile(processors, 50)), 3),
        "processor_p99_ms": round(float(np.percentile(processors, 99)), 3),
    }


def _attributes(model: Any, options: argparse.Namespace) -> dict[str, Any]:
    random = np.random.default_rng([options.seed, 2])
    users = model.fitted.relations.users
    return {name: random.integers(0, len(user.labels), options.queries) for name, user in users.items()}


def _say(count: int) -> None:
    print(f"{count:,} items linked", file=sys.stderr, flush=True)


def _plain(arguments: list[str]) -> list[str]:
    return [one for one in arguments if not one.startswith("--measure=")]


def _resident() -> int | None:
    """Memory of this process in MiB; None where it is not known."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return next(int(line.split()[1]) >> 10 for line in text.splitlines() if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
