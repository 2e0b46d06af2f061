"""One run in a process of its own: `python -m attrformer.benchmark.execute RUN_FOLDER`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import torch

from attrformer import earlier_names
from attrformer.benchmark.environment import device_name, hardware, peak_accelerator, peak_memory
from attrformer.benchmark.files import read_lines, read_object
from attrformer.benchmark.ranks import save_ranks
from attrformer.config import from_dict, to_dict
from attrformer.data.dataset import Dataset
from attrformer.errors import AttrFormerError
from attrformer.evaluation import metrics
from attrformer.evaluation.evaluation import HEADLINE, Evaluation
from attrformer.evaluation.protocol import SEEN_VARIANTS
from attrformer.evaluation.slices import Slice
from attrformer.io import write_json
from attrformer.models.registry import is_own
from attrformer.plugins import load_plugins, loaded_plugins
from attrformer.processes import exit_code, terminable
from attrformer.recommender import Config, Recommender
from attrformer.recommender.run_folder import passes_of
from attrformer.training.device import choose_device

JOB: Final = "job.json"
LINE: Final = "line.json"
RANKS: Final = "ranks.npz"
CONFIGURATION: Final = "config.json"
SESSIONS: Final = "sessions.json"
MEMORY, ACCELERATOR = "peak_memory_mib", "peak_accelerator_mib"
FAILED, STOPPED = 1, 130
DIGITS = 6


class _Timed(Recommender):
    """A recommender that knows how long its evaluations took."""

    seconds: float = 0.0

    def evaluate(self, dataset: Dataset, **options: Any) -> Evaluation:
        start = time.perf_counter()
        try:
            return super().evaluate(dataset, **options)
        finally:
            self.seconds = time.perf_counter() - start


def execute(folder: Path, *, progress: bool = True) -> None:
    """Carries out the run that `job.json` in its folder describes, and writes `line.json` and `ranks.npz` there.

    Args:
        folder: of the run; an interrupted one is gone on with.
        progress: whether each epoch is told on standard error.

    Raises:
        AttrFormerError: the data or options cannot be used.
        KeyboardInterrupt: after an interrupt, once the state has been saved.
    """
    job = read_object(folder / JOB)
    resume = (folder / CONFIGURATION).is_file()
    # A resumed run keeps its threads, so that it goes on bit for bit.
    stored = read_object(folder / CONFIGURATION) if resume else job["configuration"]
    config = from_dict(Config, earlier_names.configuration(stored))
    dataset = config.data.filtered(config.data.load(job["data"], name=job["dataset"]))
    split = config.data.split_of(dataset)
    if job["part"] == "validation":
        # A trial is judged on validation; what it does not hold it cannot look at.
        split = replace(split, test=split.validation)
    model = _Timed(config)
    device = device_name(choose_device(config.training.device))
    with _session(folder, str(job["commit"]), device) as sessions:
        model.fit(dataset, split=split, run=folder, resume=resume, progress=progress)
        evaluation, evaluated = model.evaluation, model.seconds
        assert evaluation is not None
        sessions[-1]["evaluation"] = evaluated
    validation = evaluation if job["part"] == "validation" else model.evaluate(dataset, split=split, part="validation")
    if job["part"] == "test":
        save_ranks(evaluation, folder / RANKS)
    line = {key: job[key] for key in ("key", "plan", "row", "title", "group", "dataset", "seed")} | job["notes"]
    line |= {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commits": sorted({session["commit"] for session in sessions}),
        "changed": job["changed"],
        "selected": _selected(folder),
        "validation": _figures(validation),
    }
    if job["part"] == "validation":
        # As training selects: the mean of both variants.
        line["protocol"] = evaluation.protocol.line()
        line["value"] = sum(evaluation.value(HEADLINE, seen) for seen in SEEN_VARIANTS) / len(SEEN_VARIANTS)
    else:
        line |= described(evaluation)
    line |= {"cost": _cost(folder, model, sessions, evaluated), "hardware": _hardware(model)}
    line |= _plugins(config) | {"configuration": to_dict(config)}
    write_json(folder / LINE, _rounded(line))


def _plugins(config: Config) -> dict[str, Any]:
    """The files of one's own that a run depends on, with what tells their versions apart."""
    found = {"models": loaded_plugins()} if is_own(config.model) else {}
    own_metrics = any(map(metrics.is_own, (*config.evaluation.metrics, config.training.metric)))
    if own_metrics or config.relations.own:
        found["plugins"] = loaded_plugins()
    return found


@contextmanager
def _session(folder: Path, commit: str, device: str) -> Iterator[list[dict[str, Any]]]:
    """Keeps where each sitting of a run took place, its time and memory, which a killed one stays without."""
    path = folder / SESSIONS
    sessions: list[dict[str, Any]] = read_object(path)["sessions"] if path.is_file() else []
    sessions.append({"commit": commit, "device": device, "seconds": None})
    write_json(path, {"sessions": sessions})
    start = time.perf_counter()
    try:
        yield sessions
    finally:
        sessions[-1] |= {"seconds": time.perf_counter() - start} | _peaks()
        write_json(path, {"sessions": sessions})


def _selected(folder: Path) -> dict[str, Any]:
    """The evaluation whose weights were kept: epochs done by then, its figures; empty for untrained models."""
    epochs = [line for line in read_lines(folder / "metrics.jsonl") if line.get("validation")]
    if not epochs:
        return {}
    training = read_object(folder / CONFIGURATION)["training"]
    select_on, metric = training["select_on"], training.get("metric", HEADLINE)
    sign = 1.0 if metrics.higher_is_better(metric) else -1.0
    variants = [f"seen={seen}" for seen in SEEN_VARIANTS] if select_on == "mean" else [select_on]

    def judged(line: dict[str, Any]) -> float:
        return sum(float(line["validation"][variant][metric]) for variant in variants) / len(variants)

    best = max(epochs, key=lambda line: sign * judged(line))
    passes = passes_of(best)
    epoch = int(passes) if passes.is_integer() else passes
    return {"epoch": epoch, "value": judged(best), "select_on": select_on, "figures": best["validation"]}


def _cost(folder: Path, model: _Timed, sessions: list[dict[str, Any]], evaluated: float) -> dict[str, Any]:
    lines = read_lines(folder / "metrics.jsonl")
    optimising = sum(float(line["seconds"]) for line in lines)
    spent = [session["seconds"] for session in sessions]
    # A run that a longer one went on from was evaluated too.
    evaluations = sum(session.get("evaluation", 0.0) for session in sessions)
    known = sum(filter(None, spent)) - evaluations
    return {
        # A sitting that was killed left no time but that of its epochs; then only a lower bound is known.
        "training_seconds": known if None not in spent else max(known, optimising),
        "complete": None not in spent,
        "sittings": len(spent),
        "devices": sorted({session["device"] for session in sessions if "device" in session}),
        "optimising_seconds": optimising,
        "seconds_per_epoch": optimising / passes_of(lines[-1]) if lines else 0.0,
        "evaluation_seconds": evaluated,
        "epochs": len({line["epoch"] for line in lines}),
        **_peaks(sessions),
        "parameters": model.fitted.network.parameter_count,
    }


def _peaks(sessions: Iterable[Mapping[str, Any]] = ()) -> dict[str, float | None]:
    """The most memory that this process held so far, or any of some sittings."""
    held: list[Mapping[str, Any]] = [{MEMORY: peak_memory(), ACCELERATOR: peak_accelerator()}, *sessions]
    return {name: max((one[name] for one in held if one.get(name)), default=None) for name in (MEMORY, ACCELERATOR)}


def _hardware(model: _Timed) -> dict[str, Any]:
    threads = model.config.training.threads
    return hardware(torch.get_num_threads() if threads is None else threads, str(model.fitted.device))


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    found = {name: value for name, value in evaluation.to_json().items() if name != "protocol"}
    for seen in SEEN_VARIANTS:
        # Searches and documents read it, whatever else is reported.
        found[f"seen={seen}"].setdefault(HEADLINE, evaluation.metric(HEADLINE, seen).to_json())
    return found


def described(evaluation: Evaluation) -> dict[str, Any]:
    """What a line holds of an evaluation on test: its protocol, repeats, figures and slices of the headline figure."""
    return {
        "protocol": evaluation.protocol.line(),
        "repeated_share": evaluation.protocol.repeated_share,
        "test": _figures(evaluation),
        "slices": _slices(evaluation),
    }


def _slices(evaluation: Evaluation) -> dict[str, Any]:
    return {
        f"seen={seen}": {
            name: [_slice(part) for part in parts] for name, parts in evaluation.slices(HEADLINE, seen).items()
        }
        for seen in SEEN_VARIANTS
    }


def _slice(part: Slice) -> dict[str, Any]:
    return {"label": part.label, "targets": part.targets} | part.interval.to_json()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS) if abs(value) >= 1e-3 else float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value


def main() -> None:
    """Runs the folder that the command line names; exits with 1 after an error, with 130 or 143 when interrupted."""
    # A background process may have inherited that interrupts are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with terminable():
            load_plugins()
            execute(Path(sys.argv[1]))
    except AttrFormerError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt as interrupt:
        sys.exit(exit_code(interrupt))


if __name__ == "__main__":
    main()
