"""Types of ids and attribute values in requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt, StrictStr

from attrformer.server.options import MOST_CHARACTERS, MOST_NUMBERS, MOST_TAGS

_I64 = 2**63

Id = Annotated[StrictStr, Field(min_length=1, max_length=256)] | Annotated[StrictInt, Field(ge=-_I64, lt=_I64)]
Name = Annotated[str, Field(min_length=1, max_length=256)]
Text = Annotated[StrictStr, Field(max_length=1000)]
Number = Annotated[StrictInt, Field(ge=-_I64, lt=_I64)] | Annotated[float, Field(allow_inf_nan=False, strict=True)]
Value = (
    Annotated[StrictStr, Field(max_length=MOST_CHARACTERS)]
    | Number
    | bool
    | Annotated[list[Text], Field(max_length=100)]
    | Annotated[list[Number], Field(max_length=MOST_NUMBERS)]
    | Annotated[list[Annotated[list[Text], Field(max_length=100)]], Field(max_length=100)]
    | Annotated[dict[Name, Number | None], Field(max_length=MOST_TAGS)]
    | None
)
"""Of an attribute: one or several, a vector, paths of levels, tags with scores or latitude and longitude by name."""

Attributes = Annotated[dict[Name, Value], Field(max_length=100)]
