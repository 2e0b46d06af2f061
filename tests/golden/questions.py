"""What saved models are asked. Every answer is made of plain values, tables as columns and rows."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import polars as pl
from tests.golden import tables
from tests.golden.kinds import OURS
from tests.golden.names import find
from tests.golden.store import MODELS

from attrformer import AttrFormer, AttrFormerError, Recommender

Answer = Any
Ask = Callable[[Recommender], Answer]

KNOWN = ["u00", "u05", "u17"]
FEW = ["i01", "i02", "i05", "i08", "i13", "i21", "i34"]
HISTORY = ["i03", "i04", "i07", "i03"]
ATTRIBUTES = {"guest": {"age": "25-34"}, "newer": {"age": "18-24", "region": "north"}, "u00": {"region": None}}
DETAILED = [
    {"item_id": "i11", "timestamp": tables.START + 5 * tables.HOUR, "rating": 2.0},
    {"item_id": "i12", "timestamp": tables.START + 5 * tables.HOUR + 1024, "rating": 5.0},
]


def table(frame: pl.DataFrame) -> dict[str, Any]:
    return {"columns": frame.columns, "rows": [list(row) for row in frame.rows()]}


def asked(ask: Callable[..., pl.DataFrame], *given: Any, **more: Any) -> Answer:
    """The table that is answered, or the class of the error that refuses to."""
    try:
        return table(ask(*given, **more))
    except AttrFormerError as error:
        return type(error).__name__


def rankings(recommend: Callable[..., Any]) -> dict[str, Answer]:
    """Questions that `recommend` and a search by index answer alike."""
    long = pl.DataFrame({"user_id": ["a", "b", "a", "b"], "item_id": ["i01", "i02", "i02", "i30"]})
    both = {"guest": ATTRIBUTES["guest"], "u00": ATTRIBUTES["u00"]}
    strangers = {"guest": ATTRIBUTES["guest"], "newer": ATTRIBUTES["newer"]}
    return {
        "users": asked(recommend, KNOWN, k=6),
        "users, seen ranked": asked(recommend, KNOWN, k=6, hide_seen=False),
        "history with times": asked(recommend, histories={"guest": DETAILED}, k=6),
        "history table": asked(recommend, histories=long, k=4),
        "histories and attributes": asked(recommend, ["u00"], {"guest": HISTORY}, user_attributes=both, k=6),
        "candidates": asked(recommend, KNOWN, k=4, candidates=FEW, exclude=["i05"], hide_seen=False),
        "exclude": asked(recommend, KNOWN, k=4, exclude=FEW),
        "no history": asked(recommend, user_attributes=strangers, k=6),
        "empty history": asked(recommend, histories={"guest": []}, k=6),
        "unknown skipped": asked(recommend, ["u01", "nobody"], {"guest": ["i03", "i99"]}, k=3, on_unknown="skip"),
        "unknown user": asked(recommend, ["nobody"]),
        "unknown item": asked(recommend, histories=[["i99"]]),
        "unknown value": asked(recommend, user_attributes={"guest": {"age": "0-3"}}),
        "no candidate": asked(recommend, ["u00"], candidates=[]),
        **by_histories(recommend),
    }


def _explained(model: Recommender) -> Answer:
    newer = {"newer": ATTRIBUTES["newer"]}
    return {
        "users": asked(model.explain, ["u00", "u17"], k=2),
        "histories": asked(model.explain, histories={"guest": DETAILED}, k=2),
        "attributes": asked(model.explain, ["u00"], user_attributes={"u00": ATTRIBUTES["u00"]}, k=1),
        "items": asked(model.explain, ["u05"], items=["i05", "i30"]),
        "no history": asked(model.explain, user_attributes=newer, k=2),
        "empty history": asked(model.explain, histories={"guest": []}, k=2),
    }


def _similar(model: Recommender) -> Answer:
    ways = ["content", *model.relation_strengths()] if isinstance(model, AttrFormer) else model.relation_strengths()
    return {by: asked(model.similar_items, ["i03", "i20"], k=4, by=by) for by in ways}


def _learned(model: Recommender) -> Answer:
    pairs = {}
    for name in model.pair_attributes():
        values, matrix = model.strongest_pairs(name, 5)
        pairs[name] = {"values": values, "matrix": matrix.tolist()}
    return {"strengths": model.relation_strengths(), "pairs": pairs}


def _evaluated(model: Recommender) -> Answer:
    figures = model.evaluate(tables.dataset()).to_json()
    return {seen: figures[seen] for seen in ("seen=hidden", "seen=ranked")}


def _grown(model: Recommender) -> Answer:
    """What is answered once there are new items and interactions; the model that was given stays as it is."""
    grown = copy.copy(model)
    items, interactions, users = tables.later()
    found: dict[str, Answer] = {}
    try:
        grown.add_items(items)
    except AttrFormerError as error:
        # Such a model ranks no item that it was not trained on; the interactions with others can be counted.
        found["items added"] = type(error).__name__
        interactions = interactions.filter(pl.col("item_id") != "i36")
    else:
        found["items added"] = asked(grown.recommend, ["u00", "u05"], k=5, candidates=[*FEW, "i36", "i37"])
    # Only models that read attributes of users can be told those of new ones.
    grown.update(interactions, users if model.pair_attributes() else None)
    found["updated"] = asked(grown.recommend, ["u00", "u01", "new"], k=6)
    found["explained"] = asked(grown.explain, ["new"], k=2)
    try:
        grown.update(interactions, on_known="raise")
    except AttrFormerError as error:
        found["updated twice"] = type(error).__name__
    return found


def by_histories(recommend: Callable[..., Any]) -> dict[str, Answer]:
    """The questions of `rankings` that an exported model answers, which knows histories only."""
    return {
        "history list": asked(recommend, histories=[HISTORY, ["i20"]], k=6),
        "history mapping": asked(recommend, histories={"guest": HISTORY, "u05": ["i09"]}, k=6),
        "guest with attributes": asked(
            recommend, histories={"guest": HISTORY}, user_attributes={"guest": {"age": "25-34"}}, k=6
        ),
        "guest, few": asked(recommend, histories={"guest": HISTORY}, k=4, candidates=FEW, exclude=["i05"]),
    }


QUESTIONS: dict[str, Ask] = {
    "recommend": lambda model: rankings(model.recommend),
    "explain": _explained,
    "similar": _similar,
    "learned": _learned,
    "evaluate": _evaluated,
    "grown": _grown,
}


def load(name: str) -> Recommender:
    """A saved model of the fixture."""
    kind = AttrFormer if name in OURS else Recommender
    return kind.load(MODELS / name, device="cpu")


def every_answer(name: str) -> dict[str, Answer]:
    """All answers of a saved model, each asked of the model as it was saved."""
    return {question: ask(load(name)) for question, ask in QUESTIONS.items()}


def catalogue_scores(model: Recommender) -> pl.DataFrame:
    """Scores of every item: a row for each of eight users and three histories, a column for each item."""
    users = [tables.user(number) for number in range(8)]
    # When these were stored, times were not read beside histories without any.
    untimed = [{name: value for name, value in each.items() if name != "timestamp"} for each in DETAILED]
    histories = {"one": ["i20"], "guest": HISTORY, "detailed": untimed}
    scored: pl.DataFrame = model.recommend(users, histories, k=tables.ITEMS, hide_seen=False)
    wide = scored.pivot("item_id", index="user_id", values="score")
    return wide.select("user_id", *(tables.item(number) for number in range(tables.ITEMS)))


def search(model: Recommender, **options: Any) -> dict[str, Answer]:
    """What an index of a model answers; without a graph the exact way."""
    index = find("Index").build(model, find("IndexOptions")(**options))
    return rankings(index.search)


INDEXES: dict[str, dict[str, Any]] = {
    "exact": {"method": "exact"},
    "whole": {"method": "approximate", "content": tables.ITEMS},
    "pruned": {"method": "approximate", "content": 6, "connectivity": 4},
}
