"""Evaluation of a fitted model on a dataset that may have been loaded anew."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Split, Targets
from attrformer.errors import ConfigurationError, DataError, LeakWarning
from attrformer.evaluation.candidates import evaluate_among
from attrformer.evaluation.evaluation import Evaluation
from attrformer.evaluation.evaluator import check_targets, evaluate
from attrformer.recommender.config import Config
from attrformer.recommender.leaks import Leak, leak_of
from attrformer.recommender.ruled_targets import RuledTargets
from attrformer.recommender.state import ModelState
from attrformer.rules.request import ShopRules


def assess(
    fitted: ModelState, config: Config, dataset: Dataset, split: Split, part: str, shop: ShopRules | None = None
) -> Evaluation:
    """Ranks the whole catalogue for the targets of a split, and where items were held out these alone as well.

    Args:
        fitted: the model.
        config: its options.
        dataset: with the same catalogue; users the model does not know are answered as newcomers.
        split: of the dataset.
        part: "test" or "validation".
        shop: rules that lists are made by, as they read at the time of each target; figures among held-out items alone
            are not measured under rules.

    Raises:
        ConfigurationError: a rule cannot be used, the part is unknown, or the split was made of data that do not know
            what the options say.
        DataError: the dataset has another catalogue, or the split is none of it.
    """
    if part not in ("validation", "test"):
        raise ConfigurationError(f"Unknown part '{part}'. Use one of: validation, test.")
    config.data.check_split(split)
    scorer = _TranslatingScorer(fitted, dataset)
    targets = split.test if part == "test" else split.validation
    popularity, activity = np.bincount(split.train.items, minlength=dataset.item_count), split.train.lengths
    check_targets(targets, dataset.item_count, popularity, activity)
    # In codes of the model, so that equal scores come in the order of its catalogue, as from `recommend`.
    asked, own = _renamed(targets, scorer.items), np.argsort(scorer.items)
    options: dict[str, Any] = {
        "item_count": dataset.item_count,
        "dataset": dataset.name,
        "split": split.name,
        "part": part,
        "selection": _selection(fitted),
        "popularity": popularity[own],
        "activity": activity,
        "later_share": _later_share(split.train, targets),
        "seed": config.seed,
        "config": config.evaluation,
    }
    users, items = scorer.users[targets.users], scorer.items[targets.items]
    leak = leak_of(fitted, config.data, users, items, targets, split.train.popularity(dataset.item_count)[own])
    if leak is not None:
        text = f"These figures are no measure of the model: {leak.sentence}. {leak.fix}."
        warnings.warn(text, LeakWarning, stacklevel=3)
    rules = None if shop is None else RuledTargets(fitted, shop, asked)
    found = _marked(_named(evaluate(scorer, asked, **options, rules=rules), own, scorer.items), leak)
    if rules is not None:
        return replace(found, protocol=replace(found.protocol, rules=rules.told, forbidden=rules.forbidden))
    if split.held_out is None:
        return found
    candidates = np.sort(scorer.items[split.held_out]).astype(np.int64)
    among = evaluate_among(scorer, asked, candidates, **options)
    return replace(found, held_out=_marked(_named(among, own, scorer.items), leak))


def _marked(found: Evaluation, leak: Leak | None) -> Evaluation:
    return replace(found, protocol=replace(found.protocol, leak=leak.sentence)) if leak is not None else found


def _renamed(targets: Targets, codes: NDArray[np.int32]) -> Targets:
    """The same targets in other codes of items.

    Args:
        targets: in codes of a dataset.
        codes: int32 `[n_items]`, the other code of each.
    """
    contexts = replace(targets.contexts, items=codes[targets.contexts.items])
    return replace(targets, contexts=contexts, items=codes[targets.items])


def _named(found: Evaluation, own: NDArray[np.int64], items: NDArray[np.int32]) -> Evaluation:
    """An evaluation in codes of the model as one in codes of the dataset: `own` by code of the model, `items` back."""
    # Short lists end in -1.
    back = np.append(own, -1).astype(np.int32)
    return replace(
        found,
        items=own[found.items],
        lists={seen: back[lists] for seen, lists in found.lists.items()},
        popularity=None if found.popularity is None else found.popularity[items],
    )


def _later_share(train: Sequences, targets: Targets) -> float | None:
    """The share of training interactions that are later than a target, the mean over targets; None without times."""
    if train.times is None or targets.times is None or not len(train.times) or not len(targets):
        return None
    earlier = np.searchsorted(np.sort(train.times), targets.times, side="right")
    return float(1.0 - earlier.mean() / len(train.times))


def _selection(fitted: ModelState) -> str:
    """How the weights were chosen, and what was counted later: an update may have seen what is to be predicted."""
    knowledge = fitted.knowledge
    later = f"every known interaction counted, {knowledge.updated:,} since training" if knowledge.updated else ""
    return " | ".join(part for part in (knowledge.selection, later) if part)


class _TranslatingScorer:
    """The model behind the codes that another dataset has for its users; `items` are its codes of that one's items."""

    def __init__(self, fitted: ModelState, dataset: Dataset) -> None:
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

    def score(self, users: NDArray[np.int64], contexts: Sequences) -> Tensor:
        """Scores `[b, items]`: rows of users in codes of the dataset, items in codes of the model."""
        return self._fitted.score(self.users[users], contexts)
