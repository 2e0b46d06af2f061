"""Whether and how a model can be searched by an index."""

from __future__ import annotations

import numpy as np

from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.nn.losses import Outputs
from attrformer.recommender.state import ModelState


def checked(fitted: ModelState) -> ModelState:
    """The model, which has to be on the CPU, where the index looks its relations up.

    Args:
        fitted: the model.

    Raises:
        ConfigurationError: it is on another device.
    """
    if fitted.device.type != "cpu":
        raise ConfigurationError(f"The model is on {fitted.device}. Load it with device='cpu' to search by an index.")
    return fitted


def anybody(fitted: ModelState) -> Outputs:
    """What the network says after a history of the first item.

    Args:
        fitted: the model.
    """
    one = np.zeros(1, dtype=np.int32)
    missing = {name: np.full(1, np.nan, dtype=np.float32) for name in fitted.relations.levels}
    contexts = Sequences(np.array([0, 1]), one, None, missing)
    _, outputs = fitted.outputs(np.array([-1]), contexts)
    return outputs
