"""What options say of interactions: which are predicted, which count against their item, what they weigh."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from attrformer.data.meaning import Condition
from attrformer.data.plain_dataset import PlainDataset
from attrformer.data.sequences import Sequences, some_of
from attrformer.errors import ConfigurationError, DataError

D = TypeVar("D", bound=PlainDataset)

LARGEST_WEIGHT: Final = 10**9
"""Of an interaction; pairs count the product of two weights, in single precision."""


def with_meaning(dataset: D, targets: str | None = None, negative: str | None = None, weight: str | None = None) -> D:
    """The dataset whose interactions know what they are worth; the same one where the options say nothing new.

    Args:
        dataset: the data.
        targets: a condition such as "event=purchase": interactions that are predicted; None: all, but negative ones.
        negative: a condition such as "rating<=2": interactions that count against their item; None: none.
        weight: the column of numbers above 0 that says how much each interaction counts; None: all count the same.

    Raises:
        ConfigurationError: a column is not there, is of another kind, or a condition holds for no interaction.
        DataError: a weight is missing or not above 0.
    """
    sequences = dataset.sequences
    read = {
        option: None if text is None else _condition(sequences, text, f"data.{option}")
        for option, text in (("targets", targets), ("negative", negative))
    }
    if weight is not None:
        _require_column(sequences, weight, "data.weight")
        if weight in sequences.meaning.values:
            raise ConfigurationError(f"data.weight names '{weight}', which holds categories. Name a column of numbers.")
    meaning = replace(sequences.meaning, weight=weight, targets=read["targets"], negative=read["negative"])
    if meaning == sequences.meaning:
        return dataset
    known = replace(dataset, sequences=replace(sequences, meaning=meaning))
    check_weights(known)
    if known.sequences.targets is not None and not known.sequences.targets.any():
        raise ConfigurationError(f"No interaction is left to be predicted ({meaning.text}). Correct data.targets.")
    return known


def _condition(sequences: Sequences, text: str, option: str) -> Condition:
    condition = Condition.parse(text, option)
    _require_column(sequences, condition.column, option)
    column, labels = sequences.behaviours[condition.column], sequences.meaning.values.get(condition.column)
    if labels is not None:
        unknown = [value for value in condition.values if value not in labels]
        if unknown or condition.how != "=":
            named = f"'{unknown[0]}'" if condition.how == "=" else f"'{condition.text}'"
            raise ConfigurationError(
                f"{option} asks for {named}, and '{condition.column}' has the values {some_of(labels)}. "
                f"Write {condition.column}= and some of these."
            )
    if not condition.holds(column, labels).any():
        raise ConfigurationError(f"{option} is '{text}', which holds for no interaction. Correct it.")
    return condition


def _require_column(sequences: Sequences, column: str, option: str) -> None:
    if column not in sequences.behaviours:
        raise ConfigurationError(
            f"{option} names '{column}', which is no behaviour attribute of the interactions. They have: "
            f"{', '.join(sequences.behaviours) or 'none'}."
        )


def check_weights(dataset: PlainDataset) -> None:
    """Refuses weights that cannot be counted; none where nothing has a weight.

    Args:
        dataset: whose interactions know which column is their weight.

    Raises:
        DataError: a weight is missing, not above 0, or so large that sums of products overflow.
    """
    sequences = dataset.sequences
    column = sequences.meaning.weight
    if column is None or column not in sequences.behaviours:
        return
    weights = sequences.behaviours[column]
    wrong = np.flatnonzero(~((weights > 0) & (weights <= LARGEST_WEIGHT)))
    if len(wrong):
        place = int(wrong[0])
        user = dataset.user_ids.decode(sequences.row_of_position()[[place]])[0]
        item = dataset.item_ids.decode(sequences.items[[place]])[0]
        value = sequences.behaviours[column][place]
        raise DataError(
            f"the interaction of user '{user}' with item '{item}' has "
            + ("no weight" if np.isnan(value) else f"the weight {value:g}, which is {_wrong_in(value)}"),
            fix=f"Give every interaction a weight above 0, up to {LARGEST_WEIGHT:,}, or leave data.weight out",
            source="interactions",
            column=column,
        )


def _wrong_in(weight: float) -> str:
    return "too large" if weight > 0 else "not above 0"
