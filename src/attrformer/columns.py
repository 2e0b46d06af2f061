"""Every column name of the tables that enter and leave the library, written once."""

from __future__ import annotations

from typing import Final

USER: Final = "user_id"
ITEM: Final = "item_id"
TIMESTAMP: Final = "timestamp"
RATING: Final = "rating"
WEIGHT: Final = "weight"
TITLE: Final = "title"

SOURCE_ITEM: Final = "source_item_id"
TARGET_ITEM: Final = "target_item_id"
RELATION: Final = "relation"
EDGE_RANK: Final = "rank"

CHANGED: Final = "column"
"""What a row of a table of changes is about."""

SCORE: Final = "score"
RANK: Final = "rank"
COMPONENT: Final = "component"
CONTRIBUTION: Final = "contribution"
HISTORY: Final = "history"
VALUE: Final = "value"
COUNT: Final = "count"
REASON: Final = "reason"
SIMILAR_ITEM: Final = "similar_item_id"
