"""Fields that requests are made of, each with a bound: ids, values, and the rules of a shop."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from attrformer.rules.options import NewItemsRule, help_of
from attrformer.server.options import MOST_ASKED, MOST_CHOSEN, MOST_K, MOST_RULES, MOST_WORDS
from attrformer.server.values import Attributes, Id, Name, Text

Chosen = Annotated[list[Id], Field(min_length=1, max_length=MOST_CHOSEN)]
ChosenByUser = Annotated[
    dict[Name, Annotated[list[Id], Field(max_length=MOST_CHOSEN)]], Field(min_length=1, max_length=MOST_ASKED)
]
Condition = Annotated[StrictStr, Field(min_length=1, max_length=MOST_WORDS)]
Amount = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Body(BaseModel):
    """A body that holds nothing but what is described."""

    model_config = ConfigDict(extra="forbid")


class NewItems(Body):
    """Room for new items."""

    share: Annotated[float, Field(ge=0, le=1)] = Field(0.1, description=help_of("share", NewItemsRule))
    within: Annotated[StrictStr, Field(max_length=20)] | None = Field(
        None, description=help_of("within", NewItemsRule), examples=["30d"]
    )
    last: StrictBool = Field(False, description=help_of("last", NewItemsRule))


class RuleFields(Body):
    """What the shop wants of the lists."""

    where: Condition | None = Field(None, description=help_of("where"), examples=["price < 50"])
    boost: (
        Annotated[dict[Name, Annotated[dict[Text, Amount], Field(max_length=MOST_RULES)]], Field(max_length=MOST_RULES)]
        | Annotated[list[tuple[Condition, Amount]], Field(max_length=MOST_RULES)]
        | None
    ) = Field(None, description=help_of("boost"), examples=[{"brand": {"Ostora": 0.5}}])
    at_most: (
        Annotated[dict[Name, Annotated[StrictInt, Field(ge=1, le=MOST_K)]], Field(max_length=MOST_RULES)] | None
    ) = Field(None, description=help_of("at_most"), examples=[{"brand": 2}])
    diversity: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description=help_of("diversity"))
    new_items: NewItems | None = Field(None, description=help_of("new_items"))
    pinned: (
        Annotated[dict[Annotated[str, Field(pattern=r"^[0-9]{1,4}$")], Id], Field(max_length=MOST_RULES)]
        | Annotated[list[Id], Field(max_length=MOST_RULES)]
        | None
    ) = Field(None, description=help_of("pinned"), examples=[{"1": "item-0003"}])
    item_values: Annotated[dict[Name, Attributes], Field(min_length=1, max_length=MOST_CHOSEN)] | None = Field(
        None, description="Attribute values that have changed, such as price and stock, by item."
    )
