"""Trains every kind of model for two steps, and further kinds of training that no saved model shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.golden import tables
from tests.golden.kinds import KINDS, LEARNED, OURS, Options
from tests.golden.questions import catalogue_scores

from attrformer import AttrFormer, Recommender


def _with(kind: str, **parts: Options) -> Options:
    """The options of a saved model with some of them changed."""
    return {**KINDS[kind], **{part: {**KINDS[kind].get(part, {}), **options} for part, options in parts.items()}}


# Several steps with their moving average; of a smaller rate, since every step grows what another CPU rounds otherwise.
AVERAGED: Options = {
    "average": 0.5,
    "batch_targets": 200,
    "learning_rate": 0.002,
    "warm_up": 2,
    "schedule": "cosine",
    "weight_decay": 0.1,
}

TRAINED: dict[str, Options] = {
    **{name: KINDS[name] for name in LEARNED},
    "attrformer, posterior target": _with("attrformer", target={"strength": 4.0, "window": 3, "popularity": 0.5}),
    "attrformer, mixed head": _with("attrformer", model={"mixed_head": True}),
    "attrformer, dropout": _with("attrformer", model={"dropout": 0.2}),
    "attrformer, averaged": _with("attrformer", training=AVERAGED),
    "attrformer, time split": _with("attrformer", data={"split": "time"}),
    "sasrec, full": _with("sasrec", model={"loss": "full"}),
    "gru4rec, bpr-max": _with("gru4rec", model={"loss": "bpr-max"}),
}


def fitted(name: str, run: Path) -> Recommender:
    """A model trained from the start, with its run in a folder."""
    kind = AttrFormer if name.startswith(OURS[0]) else Recommender
    return kind(TRAINED[name]).fit(tables.dataset(), run=run, progress=False)


def outcome(model: Recommender, run: Path) -> dict[str, Any]:
    """The loss of each epoch, and scores of the model that validation chose."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    scores = catalogue_scores(model).drop("user_id").to_numpy()
    return {"losses": [line["loss"] for line in lines], "scores": scores[::3, ::4].tolist()}
