"""What requests look like; the OpenAPI document is made of these and of the answers in `answer_schemas`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from attrformer.recommender.arguments import LATEST_TIME
from attrformer.rules.options import help_of
from attrformer.server.fields import Body, Chosen, ChosenByUser, Condition, RuleFields
from attrformer.server.options import MOST_ADDED, MOST_ASKED, MOST_CHANGED, MOST_CHOSEN, MOST_HISTORY, MOST_K
from attrformer.server.values import Attributes, Id, Name, Number, Text


class Entry(BaseModel):
    """An item of a history with what is known of it, as `/v1/history` gives it."""

    model_config = ConfigDict(extra="forbid")

    item_id: Id
    timestamp: Annotated[StrictInt, Field(gt=-(2**53), lt=2**53)] | None = Field(
        None, description="Seconds since 1970."
    )
    behaviours: Annotated[
        dict[Name, Annotated[float, Field(allow_inf_nan=False, strict=True)] | Name | bool | None],
        Field(max_length=100),
    ] = Field(default_factory=dict, description="Behaviour attributes of the interaction, such as a rating or event.")


OnUnknown = Literal["raise", "warn", "skip"]
History = Annotated[list[Id | Entry], Field(max_length=MOST_HISTORY)]


class Whom(Body):
    """Whom to answer, and with which items."""

    users: Annotated[list[Id], Field(min_length=1, max_length=MOST_ASKED)] | None = Field(
        None, description="Users that the model was fitted on."
    )
    histories: (
        Annotated[list[History], Field(min_length=1, max_length=MOST_ASKED)]
        | Annotated[dict[Name, History], Field(min_length=1, max_length=MOST_ASKED)]
        | None
    ) = Field(
        None,
        description="Item ids of anybody, oldest first: a list for each, who are then called 0, 1, ..., or by name. "
        "An entry may say when it was.",
    )
    user_attributes: Annotated[dict[Name, Attributes], Field(min_length=1, max_length=MOST_ASKED)] | None = Field(
        None, description="Attribute values of users or of those whose history is given, by name."
    )
    k: Annotated[StrictInt, Field(ge=1, le=MOST_K)] = Field(10, description="Items for each.")
    hide_seen: bool = Field(True, description="Leave out what the history holds.")
    candidates: Chosen | ChosenByUser | None = Field(
        None, description="Items to choose from, for everybody or by user; the whole catalogue where not given."
    )
    exclude: Chosen | ChosenByUser | None = Field(None, description="Items never to give, for everybody or by user.")
    as_of: Annotated[StrictInt, Field(ge=-LATEST_TIME, le=LATEST_TIME)] | None = Field(
        None,
        description="Seconds since 1970 at which items have the values of attributes that change. Where not given, "
        "relations read those at the last interaction of each history, and rules the latest ones.",
    )
    on_unknown: OnUnknown = Field(
        "raise", description="What becomes of ids that the model does not know: 404, a warning in the answer, nothing."
    )


class RecommendBody(Whom, RuleFields):
    """A request for recommendations."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"histories": [["item-0003", "item-0007"]], "k": 5},
                {"users": ["user-0001"]},
                {"users": ["user-0001"], "where": "price < 50", "at_most": {"brand": 2}},
            ]
        },
    )


class ExplainBody(Whom, RuleFields):
    """A request for reasons."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"histories": [["item-0003", "item-0007"]], "k": 3}]}
    )
    items: Annotated[list[Id], Field(min_length=1, max_length=MOST_CHOSEN)] | None = Field(
        None, description="Items to explain; the k best where not given."
    )


class SimilarBody(Body):
    """A request for similar items."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"items": ["item-0003"], "k": 5, "by": "content"}]}
    )
    items: Annotated[list[Id], Field(min_length=1, max_length=MOST_ASKED)] = Field(description="Items to start from.")
    k: Annotated[StrictInt, Field(ge=1, le=MOST_K)] = Field(10, description="Items for each.")
    by: Name = Field("content", description="`content`, or a relation between items as `/v1/model` names it.")
    candidates: Chosen | None = Field(None, description="Items to choose from; the whole catalogue where not given.")
    exclude: Chosen | None = Field(None, description="Items never to give.")
    on_unknown: OnUnknown = Field(
        "raise", description="What becomes of ids that the model does not know: 404, a warning in the answer, nothing."
    )
    where: Condition | None = Field(None, description=help_of("where"), examples=["price < 50"])


class AddBody(Body):
    """Items to add."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"items": [{"item_id": "new-1", "title": "New", "attributes": {"brand": "Ostora", "price": 12.5}}]}
            ]
        },
    )

    class Item(Body):
        """One item with its attributes; what is missing relates to nothing."""

        item_id: Id
        title: Text | None = None
        attributes: Attributes = Field(default_factory=dict)

    items: Annotated[list[Item], Field(min_length=1, max_length=MOST_ADDED)]


class ChangeBody(Body):
    """Changes of items."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"changes": [{"item_id": "item-0003", "column": "price", "value": 12.5}]}]},
    )

    class Change(Body):
        """From a time on an item has another value in a column."""

        item_id: Id
        column: Name
        value: Text | Number | bool | None = Field(description="The value; null where it is missing from then on.")
        timestamp: Annotated[StrictInt, Field(ge=-LATEST_TIME, le=LATEST_TIME)] | None = Field(
            None, description="Seconds since 1970 from which on the value holds; now where not given."
        )

    changes: Annotated[list[Change], Field(min_length=1, max_length=MOST_CHANGED)]
    new_columns: bool = Field(
        False, description="Whether columns that the model does not have may be among them, for rules alone."
    )
