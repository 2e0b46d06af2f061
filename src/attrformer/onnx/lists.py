"""The rules of a request to an exported model: those that need no relation between items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from attrformer.errors import ConfigurationError
from attrformer.onnx.folder import Description
from attrformer.recommender.shop_rules import compiled_for
from attrformer.recommender.unknown import OnUnknown
from attrformer.rules.compiled import CompiledRules
from attrformer.rules.options import NewItemsRule
from attrformer.rules.request import ShopRules


def rules_of(
    description: Description, unknown: OnUnknown, as_of: int | None, together: Any, **given: Any
) -> CompiledRules | None:
    """The rules of a request; None where there are none.

    Args:
        description: of the exported model.
        unknown: what becomes of pinned items that the model does not know.
        as_of: when items have the values that rules read, in seconds; the latest values where None.
        together: several rules, as `Rules`, a mapping, or a YAML file; the others go before it.
        given: rules by name.

    Raises:
        ConfigurationError: one cannot be used.
        UnknownIdError: a pinned item is unknown.
        CheckpointError: one reads item attributes, and the model was exported without their values.
    """
    shop = ShopRules.read(given, together)
    if shop is None:
        return None
    if shop.rules.diversity:
        raise ConfigurationError("An exported model does not have the relations that diversity reads. Leave it out.")

    def is_new(rule: NewItemsRule) -> NDArray[np.bool_]:
        raise ConfigurationError("An exported model does not have what new_items reads. Leave it out.")

    return compiled_for(shop, description.items, description.item_values, unknown, is_new, as_of)
