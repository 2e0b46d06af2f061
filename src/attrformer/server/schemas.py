"""What requests and answers look like; the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from attrformer.recommender.arguments import LATEST_TIME
from attrformer.server.fields import Body, Chosen, ChosenByUser, RuleFields
from attrformer.server.options import MOST_ADDED, MOST_ASKED, MOST_CHOSEN, MOST_HISTORY, MOST_K
from attrformer.server.values import Attributes, Id, Name, Text


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
        description="Seconds since 1970 at which items have the values of attributes that change; the time of the last "
        "interaction of each history where not given.",
    )
    on_unknown: Literal["raise", "warn", "skip"] = Field(
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
    candidates: Annotated[list[Id], Field(min_length=1, max_length=MOST_CHOSEN)] | None = Field(
        None, description="Items to choose from; the whole catalogue where not given."
    )


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


class Item(BaseModel):
    """An item in a ranking."""

    item_id: str | int
    title: str | None
    score: float
    rank: int
    new: bool | None = Field(None, description="Only with new_items: whether the item is new.")
    pinned: bool | None = Field(None, description="Only with pinned: whether the item is pinned.")


class Recommended(BaseModel):
    """The items of one user."""

    user_id: str | int
    items: list[Item]


class Component(BaseModel):
    """What one component adds to a score, and the item of the history behind it."""

    model_config = ConfigDict(extra="allow")

    component: str
    contribution: float
    history: str | int | None
    history_title: str | None


class ExplainedItem(Item):
    """An item with the components that its score is the sum of."""

    components: list[Component]


class Explained(BaseModel):
    """The items of one user with their reasons."""

    user_id: str | int
    items: list[ExplainedItem]


class Similar(BaseModel):
    """The items similar to one."""

    item_id: str | int
    similar: list[Item]


class Answered(BaseModel):
    """What every answer of the model says about itself."""

    model: int = Field(description="Which model answered: 1 at the start, one more for each reload.")
    warnings: list[str] = Field(default_factory=list, description="With on_unknown = warn.")


class Note(BaseModel):
    """Why a list is shorter than was asked for."""

    user_id: str | int
    note: str


class RecommendAnswer(Answered):
    """Recommendations, in the order in which they were asked for."""

    results: list[Recommended]
    notes: list[Note] = Field(default_factory=list, description="Lists that rules leave too short.")


class ExplainAnswer(Answered):
    """Recommendations with reasons, in the order in which they were asked for."""

    results: list[Explained]
    notes: list[Note] = Field(default_factory=list, description="Lists that rules leave too short.")


class SimilarAnswer(Answered):
    """Similar items, in the order in which they were asked for."""

    results: list[Similar]


class AddAnswer(BaseModel):
    """What adding came to."""

    added: int
    catalogue: int
    saved: bool = Field(description="Whether they will still be there after a restart or reload.")


class FoundItem(BaseModel):
    """An item of the catalogue."""

    item_id: str | int
    title: str | None
    attributes: dict[str, list[str]]


class CatalogueAnswer(BaseModel):
    """Items that were searched for."""

    total: int
    items: list[FoundItem]


class HistoryItem(BaseModel):
    """An item that a user had, with what is known of it; all but the title can be sent as an entry of a history."""

    item_id: str | int
    title: str | None
    timestamp: int | None = None
    behaviours: dict[str, float | str | None] = Field(default_factory=dict)


class HistoryAnswer(BaseModel):
    """The latest items of a user, oldest first."""

    user_id: str | int
    total: int = Field(description="Items that the model knows of the user.")
    items: list[HistoryItem]


class PairsAnswer(BaseModel):
    """The strongest pairs of values of an attribute."""

    attribute: str
    values: list[str]
    matrix: list[list[float]]


class ModelAnswer(BaseModel):
    """What the model in use can be asked."""

    model: int
    name: str
    dataset: str
    items: int
    users: int
    relations: dict[str, float] = Field(description="Relations with their strength, the strongest first.")
    similar_by: list[str] = Field(description="What `/v1/similar` takes as `by`.")
    pair_attributes: list[str] = Field(description="What `/v1/pairs` takes as `attribute`.")
    user_attributes: dict[str, list[str]] = Field(
        description="Values by attribute, for `user_attributes`; none where a vector, a text or a place is to be given."
    )
    user_numbers: list[str] = Field(description="Those that are given as a number, and belong to a range of values.")
    item_attributes: list[str] = Field(description="What an item that is added may have.")
    may_add: bool
    may_reload: bool


class StateAnswer(BaseModel):
    """Whether the service lives, or answers, and by which of several workers it says so."""

    status: Literal["ok", "ready"]
    worker: int | None = None


class ReloadAnswer(BaseModel):
    """The model that answers from now on."""

    model: int
    items: int
    lost: int = Field(0, description="Items that were added before and that it does not have.")


class ErrorAnswer(BaseModel):
    """Why a request was not answered."""

    class Error(BaseModel):
        """What is wrong and what to do."""

        code: str = Field(description="A word that programs can tell errors apart by.")
        message: str
        details: list[dict[str, Any]] = Field(default_factory=list, description="Places in the request, where known.")

    error: Error
