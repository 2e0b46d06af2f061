"""Whether and how a model can be searched by an index."""

from __future__ import annotations

import numpy as np

from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.nn.losses import Outputs
from attrformer.recommender.state import ModelState
from attrformer.retrieval.options import IndexOptions


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


def wants_graph(fitted: ModelState, options: IndexOptions) -> bool:
    """Whether a model is to be searched by a graph.

    Args:
        fitted: the model.
        options: of the index.

    Raises:
        ConfigurationError: it is to be, and has no item vectors.
    """
    learned = any(True for _ in fitted.network.parameters())
    if options.method == "approximate" and not learned:
        raise ConfigurationError(
            f"'{fitted.config.name}' learns no item vectors, so that nothing can be indexed. Use method=exact."
        )
    if options.method == "auto":
        return learned and fitted.relations.n_items > options.exact_items
    return options.method == "approximate"


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
