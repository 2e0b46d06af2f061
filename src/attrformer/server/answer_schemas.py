"""What answers look like; the OpenAPI document is made of these and of the requests in `schemas`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


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
    version: str = Field(description="Name of that model, the same in every service that answers with it.")
    warnings: list[str] = Field(
        default_factory=list, description="With on_unknown = warn, and of values in rules that no item has."
    )


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


class ChangeAnswer(BaseModel):
    """What changing came to."""

    changed: int
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
    version: str
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
    item_columns: list[str] = Field(description="What rules can read of items.")
    changing_columns: list[str] = Field(description="Those of relations and rules whose values change in time.")
    may_add: bool
    may_reload: bool


class StateAnswer(BaseModel):
    """Whether the service lives, or answers, and by which of several workers it says so."""

    status: Literal["ok", "ready"]
    worker: int | None = None


class ReloadAnswer(BaseModel):
    """The model that answers from now on."""

    model: int
    version: str
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
