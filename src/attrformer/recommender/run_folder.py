"""The folder of a training run: options, metrics by epoch, checkpoint, model and figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrformer.config import to_dict
from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.evaluation.evaluation import HEADLINE, Evaluation
from attrformer.evaluation.slices import Slice
from attrformer.io import CHECKSUM, has_checksum, parse_json, read_json, with_checksum, write_json, write_text
from attrformer.recommender.config import Config, changed_options
from attrformer.training.checkpoint import CheckpointFolder

CONFIGURATION: Final = "config.json"
SETTLED: Final = "run.json"
METRICS: Final = "metrics.jsonl"
MODEL: Final = "model"
WARM_START: Final = "warm_start"
FULL: Final = "full"
SAMPLED: Final = "sampled"

# More epochs continue the same path; every other option would make another one.
_MAY_CHANGE: Final = frozenset({"training.epochs"})


class RunFolder:
    """One training run on disk.

    Args:
        folder: where it lies; made when the run is opened.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = CheckpointFolder(folder / "checkpoint")

    @property
    def model(self) -> Path:
        """Where the finished model is saved."""
        return self.folder / MODEL

    def settle(self, config: Config, settled: dict[str, Any], *, resume: bool) -> dict[str, Any]:
        """Checks that a run may be written here, before anything costly is done.

        Args:
            config: options of the run.
            settled: what the options leave to be found out ("precision", "dropout", "loss", "compiled"), the
                fingerprint of the data, and "warm_start" where the run begins from another model.
            resume: whether a run that lies here is to be continued.

        Returns:
            What is settled; where a run is resumed, as it was when that began.

        Raises:
            ConfigurationError: a run lies here and is not to be resumed, or has other options.
            CheckpointError: the run that lies here was made with other data, or is damaged.
        """
        if not (self.folder / CONFIGURATION).exists():
            return settled
        if not resume:
            raise ConfigurationError(
                f"{self.folder} holds a run already. Resume it (resume=True, --resume) or give another folder."
            )
        changed = [
            name for name in changed_options(_read(self.folder / CONFIGURATION), config) if name not in _MAY_CHANGE
        ]
        if changed:
            raise ConfigurationError(
                f"The run in {self.folder} has other values of {', '.join(changed)}. "
                "Resume it with its own options, or give another folder."
            )
        before = self._settled()
        if before.get(WARM_START, False) != settled.get(WARM_START, False) and not self._goes_on(before):
            began, other = ("from another model", "the same") if before.get(WARM_START) else ("from nothing", "no")
            raise ConfigurationError(
                f"The run in {self.folder} began {began}. Resume it with {other} warm start, or give another folder."
            )
        if before.get("data") != settled["data"]:
            raise CheckpointError(
                f"The run in {self.folder} was made with other data. Resume it with the same dataset and split, "
                "or give another folder."
            )
        # Earlier versions knew of no other loss, however large the catalogue, and did not note whether they compiled.
        return {"loss": FULL, "compiled": settled.get("compiled", False)} | before

    def _settled(self) -> dict[str, Any]:
        path = self.folder / SETTLED
        before = _read(path)
        # Runs of earlier versions have no checksum.
        if CHECKSUM in before and not has_checksum(before):
            raise CheckpointError(f"{path} is damaged (another checksum). Start a new run in another folder.")
        return {name: value for name, value in before.items() if name != CHECKSUM}

    def _goes_on(self, before: dict[str, Any]) -> bool:
        """Whether the model that a run began from is no longer needed: the checkpoint holds what became of it."""
        return bool(before.get(WARM_START)) and self.checkpoint.exists()

    def claim(self, config: Config, settled: dict[str, Any]) -> None:
        """Writes the options, which makes the folder that of a run."""
        write_json(self.folder / SETTLED, with_checksum(settled))
        write_json(self.folder / CONFIGURATION, to_dict(config))

    def branch(self, folder: Path, config: Config) -> None:
        """Copies what a resumed run goes on from to another folder, which becomes that of a run by its options.

        Args:
            folder: holds no run.
            config: its options; they may differ from those of this run in what a resumed run may change.
        """
        settled = self._settled()
        copy = RunFolder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.checkpoint.copy_to(copy.checkpoint)
        if (self.folder / METRICS).exists():
            shutil.copyfile(self.folder / METRICS, folder / METRICS)
        # The options come last: with them the folder is that of a run.
        copy.claim(config, settled)

    def add_epoch(self, line: dict[str, object]) -> None:
        """Adds a line of metrics, in place of the same and later ones that an interrupted run may have left."""
        path = self.folder / METRICS
        kept = [old for old in _lines(path) if _passes_of(old) < passes_of(line)]
        write_text(path, "".join(f"{text}\n" for text in (*kept, json.dumps(line))))

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Writes `figures.json` and `slices.json`."""
        slices = {name: _bins(parts) for name, parts in evaluation.slices(HEADLINE).items()}
        write_json(self.folder / "figures.json", evaluation.to_json())
        write_json(self.folder / "slices.json", {"metric": HEADLINE} | slices)

    def add_relations(self, strengths: dict[str, float], pairs: dict[str, tuple[list[str], Any]]) -> None:
        """Writes `relations.json`.

        Args:
            strengths: strength of each relation.
            pairs: names `[n]` and learned matrix `[n, n]` of each attribute.
        """
        matrices = {name: {"names": names, "matrix": matrix.tolist()} for name, (names, matrix) in pairs.items()}
        write_json(self.folder / "relations.json", {"strengths": strengths, "pairs": matrices})


def _bins(slices: list[Slice]) -> list[dict[str, Any]]:
    return [{"label": part.label, "count": part.targets} | part.interval.to_json() for part in slices]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def passes_of(line: Mapping[str, Any]) -> float:
    """How many epochs were done at a line of metrics, also within one.

    Args:
        line: as training makes it.
    """
    return float(line.get("passes", line["epoch"] + 1))


def _passes_of(line: str) -> float:
    """The same of a line as it is written; of a damaged one, a number above all others."""
    try:
        return passes_of(parse_json(line))
    except (ValueError, TypeError, KeyError, AttributeError):
        return float("inf")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). Start a new run in another folder.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged (not an object). Start a new run in another folder.")
    return content
