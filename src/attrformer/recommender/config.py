"""All options of a run in one place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from attrformer import earlier_names
from attrformer.config import Options, from_dict, to_dict, variants_of
from attrformer.errors import ConfigurationError
from attrformer.evaluation.config import EvaluationConfig
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.models.config import ModelConfig
from attrformer.paths import shown
from attrformer.recommender.data_config import DataConfig as DataConfig
from attrformer.relations.config import RelationsConfig
from attrformer.training.config import TargetConfig, TrainingConfig


@dataclass(frozen=True)
class Config(Options):
    """Every option of a run, from the data to the evaluation; each part may be given as a mapping of its options.

    `Config(training={"epochs": 5})` is `Config(training=TrainingConfig(epochs=5))`. What is not given keeps its
    default.

    Args:
        seed: of weights, order, folds, samples and bootstrap.
        data: how the tables are read, filtered and split.
        relations: which explicit relations there are, and how they are counted.
        model: which model, given by the class or by "name" in a mapping, and its own options.
        target: the posterior target of AttrFormer.
        training: the training loop.
        evaluation: how rankings are measured.

    Raises:
        ConfigurationError: an option is unknown or has a value that it does not take; the message names the option and
            says what is allowed.
    """

    seed: int = field(default=0, metadata={"help": "of weights, order, folds, samples and bootstrap"})
    data: DataConfig = field(default_factory=DataConfig)
    relations: RelationsConfig = field(default_factory=RelationsConfig)
    model: ModelConfig = field(default_factory=AttrFormerConfig)
    target: TargetConfig = field(default_factory=TargetConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    if TYPE_CHECKING:
        # What a part is converted from; a dataclass tells type checkers only what it is converted to.
        def __init__(
            self,
            seed: int = ...,
            data: DataConfig | Mapping[str, Any] = ...,
            relations: RelationsConfig | Mapping[str, Any] = ...,
            model: ModelConfig | Mapping[str, Any] = ...,
            target: TargetConfig | Mapping[str, Any] = ...,
            training: TrainingConfig | Mapping[str, Any] = ...,
            evaluation: EvaluationConfig | Mapping[str, Any] = ...,
        ) -> None: ...


LATER: Final[dict[str, Any]] = {
    "data.negative": None,
    "data.targets": None,
    "data.weight": None,
    "data.vectors": {},
    "data.date_order": None,
    "data.delimiter": None,
    "data.decimal": None,
    "data.encoding": None,
    "data.headers": {},
    "relations.behaviour_rows": None,
    "relations.changing_attributes": None,
    "relations.vector_dimensions": RelationsConfig().vector_dimensions,
    "relations.text_dimensions": RelationsConfig().text_dimensions,
    "relations.text_encoders": {},
    "relations.location_scale_km": None,
    "evaluation.metrics": list(EvaluationConfig().metrics),
    "training.metric": TrainingConfig().metric,
    "relations.memory": None,
    "training.loss": TrainingConfig().loss,
    "training.negatives": TrainingConfig().negatives,
    "training.popular_negatives": TrainingConfig().popular_negatives,
    "training.compiled": None,
    "training.evaluations_per_epoch": 1,
    "relations.own": [],
    "relations.newness": False,
    "relations.newness_horizon": 1.0,
    "relations.newness_cost": 0.0,
    "relations.predicted_rows": False,
    "model.item_gates": None,
}
"""Options that came later, by their defaults: a run that was begun without them had these."""


def read_config(given: Any) -> Config:
    """All options, however they are given.

    Args:
        given: None for the defaults, a `Config`, a mapping as in a YAML file, the name of a model ("sasrec"), or the
            options of a model.

    Raises:
        ConfigurationError: it is something else, or an option is unknown or has a value that cannot be used.
    """
    if given is None:
        return Config()
    if isinstance(given, Config):
        return given
    if isinstance(given, Mapping):
        return from_dict(Config, given)
    if isinstance(given, ModelConfig):
        return Config(model=given)
    if isinstance(given, str):
        models = variants_of(ModelConfig)
        if given in models:
            return Config(model=models[given]())
        near = difflib.get_close_matches(given.lower(), models, n=1)
        advice = f"Did you mean '{near[0]}'?" if near else f"There are: {', '.join(models)}."
        raise ConfigurationError(f"There is no model '{given}'. {advice} Options from a file: Config.from_yaml(path).")
    raise ConfigurationError(
        f"config is {shown(given)}. Give a Config, a mapping such as {{'training': {{'epochs': 5}}}}, or the name of "
        "a model."
    )


def changed_options(before: dict[str, Any], after: Config) -> list[str]:
    """Dotted names of the options that differ, in the order of declaration.

    Args:
        before: a configuration as plain values.
        after: the configuration to compare with it.
    """
    new = _flat(to_dict(after))
    # Other models do not have the options of one.
    old = {name: value for name, value in _flat(LATER).items() if name in new}
    old |= _flat(earlier_names.configuration(before))
    return [name for name in dict.fromkeys((*new, *old)) if old.get(name, None) != new.get(name, None)]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
