"""Evaluation of a fitted model on a dataset that may have been loaded anew."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attrformer.dataset.dataset import Dataset
from attrformer.dataset.sequences import Sequences
from attrformer.dataset.splits import Split
from attrformer.errors import ConfigurationError, DataError, LeakWarning
from attrformer.evaluation.candidates import evaluate_among
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.evaluator import evaluate
from attrformer.recommender.config import Config
from attrformer.recommender.fitted import Fitted
from attrformer.recommender.leaks import UNLEAKED, leak_of


def assess(fitted: Fitted, config: Config, dataset: Dataset, split: Split, part: str) -> Evaluation:
    """Ranks the whole catalogue for the targets of a split, and where items were held out these alone as well.

    Args:
        fitted: the model.
        config: its options.
        dataset: with the same catalogue; users the model does not know are answered as newcomers.
        split: of the dataset.
        part: "test" or "validation".

    Raises:
        ConfigurationError: the part is unknown.
        DataError: the dataset has another catalogue.
    """
    if part not in ("validation", "test"):
        raise ConfigurationError(f"Unknown part '{part}'. Use one of: validation, test.")
    scorer = _TranslatingScorer(fitted, dataset)
    targets = split.test if part == "test" else split.validation
    options: dict[str, Any] = {
        "item_count": dataset.item_count,
        "dataset": dataset.name,
        "split": split.name,
        "part": part,
        "selection": _selection(fitted),
        "popularity": np.bincount(split.train.items, minlength=dataset.item_count),
        "seed": config.seed,
        "config": config.evaluation,
    }
    leak = leak_of(fitted, scorer.users[targets.users], scorer.items[targets.items], targets)
    if leak:
        warnings.warn(f"These figures are no measure of the model: {leak}. {UNLEAKED}", LeakWarning, stacklevel=3)
    found = _marked(evaluate(scorer, targets, **options), leak)
    if split.held_out is None:
        return found
    return replace(found, held_out=_marked(evaluate_among(scorer, targets, split.held_out, **options), leak))


def _marked(found: Evaluation, leak: str) -> Evaluation:
    return replace(found, protocol=replace(found.protocol, leak=leak)) if leak else found


def _selection(fitted: Fitted) -> str:
    """How the weights were chosen, and what was counted later: an update may have seen what is to be predicted."""
    knowledge = fitted.knowledge
    later = f"every known interaction counted, {knowledge.updated:,} since training" if knowledge.updated else ""
    return " | ".join(part for part in (knowledge.selection, later) if part)


class _TranslatingScorer:
    """The model behind the codes of another dataset."""

    def __init__(self, fitted: Fitted, dataset: Dataset) -> None:
        self._fitted = fitted
        own = fitted.knowledge.item_ids
        self.items = own.encode(dataset.item_ids.values)
        self.users = fitted.knowledge.user_ids.encode(dataset.user_ids.values).astype(np.int64)
        unknown = np.flatnonzero(self.items < 0)
        if len(unknown) or len(own) != dataset.item_count:
            example = f", '{dataset.item_ids.values[int(unknown[0])]}' is not among them" if len(unknown) else ""
            raise DataError(
                f"the catalogue has {dataset.item_count:,} items, the model was fitted on {len(own):,}{example}",
                fix="Evaluate on the data that the model was fitted on, filtered in the same way",
                source=dataset.name,
            )
        same = np.array_equal(self.items, np.arange(len(own)))
        self._columns = None if same else torch.from_numpy(self.items.astype(np.int64)).to(fitted.device)

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores `[b, items]`, rows and columns in the order of the dataset."""
        translated = Sequences(contexts.offsets, self.items[contexts.items], contexts.times, contexts.behaviours)
        scores = self._fitted.score(self.users[users], translated)
        return scores if self._columns is None else scores[:, self._columns]
