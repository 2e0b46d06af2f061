"""Whether a model can learn anything from a split."""

from __future__ import annotations

from attrformer.data.dataset import Dataset
from attrformer.data.splits import Split
from attrformer.errors import ConfigurationError, DataError
from attrformer.recommender.config import Config
from attrformer.training.predicted import Predicted


def require_trainable(dataset: Dataset, split: Split, config: Config) -> None:
    """Refuses training sequences in which nothing is to be predicted from anything.

    Args:
        dataset: the data.
        split: of the data.
        config: all options.

    Raises:
        DataError: no user has two training interactions, or none before one that is predicted.
        ConfigurationError: the model cannot tell interactions apart, and the options do; or the split was made of data
            that do not know what the options say.
    """
    config.data.check_split(split)
    train, model = split.train, config.model
    if int(train.lengths.max(initial=0)) < 2:
        raise DataError(
            "no user has two training interactions, so there is nothing to learn from",
            fix="Give longer histories or another split",
            source=dataset.name,
        )
    if not len(Predicted.of(train).with_history(train)):
        raise DataError(
            f"no training interaction that is predicted ({train.meaning.text}) has a history before it",
            fix="Give longer histories or another split, or predict other events",
            source=dataset.name,
        )
    for told, able, option in (
        (train.targets is not None, model.TRAINS_ON_TARGETS, "data.targets or data.negative"),
        (train.weights is not None, model.weighs_targets, "data.weight"),
    ):
        if told and not able:
            raise ConfigurationError(
                f"model.name is '{model.name}', which is trained on every interaction alike, and {option} tells them "
                "apart. Leave that out, or choose another model."
            )
