"""Which models are kept, and with which options each was trained. Written in the words of the first format."""

from __future__ import annotations

from typing import Any

Options = dict[str, Any]

# An epoch is one step, so that the losses of two epochs are those of two steps. The rate is large and there is no
# warm-up, so that two steps move every parameter away from where it started.
TRAINING: Options = {
    "epochs": 2,
    "patience": 2,
    "batch_targets": 4096,
    "learning_rate": 0.02,
    "warm_up": 0,
    "average": 0.0,
    "device": "cpu",
    "precision": "float32",
    "threads": 1,
}
SMALL: Options = {"width": 8, "layers": 1, "heads": 2, "max_length": 12, "dropout": 0.0}

RELATIONS: Options = {
    "folds": 2,
    "cooccurrence_wide": {"enabled": True},
    "cooccurrence_next": {"enabled": True},
    "indirect": True,
    "edges": None,
    "id_order": True,
    "similar_users": True,
    "similar_users_count": 8,
    "time_buckets": 8,
    "buckets": 5,
}

FEW: Options = {"folds": 2, "item_attributes": ["tags"], "user_attributes": ["age"], "time_buckets": 8}

_LEARNED: dict[str, Options] = {
    "bert4rec": {},
    "bsarec": {},
    "cl4srec": {},
    "difsr": {},
    "duorec": {},
    "fearec": {},
    "gru4rec": {"state": 8, "negatives": 16},
    "lightsans": {},
    "mt4sr": {},
    "sasrec": {},
    "sasrecf": {},
    "tisasrec": {},
}
_COUNTED: dict[str, Options] = {"popularity": {}, "transitions": {}, "vsknn": {}}


def _options(model: Options, relations: Options | None = None) -> Options:
    evaluation = {"resamples": 20, "cutoffs": [5, 10]}
    relations = {"folds": 2} if relations is None else relations
    return {"seed": 3, "model": model, "relations": relations, "training": TRAINING, "evaluation": evaluation}


KINDS: dict[str, Options] = {
    "attrformer": _options({"name": "attrformer", **SMALL, "low_rank": 2}, RELATIONS),
    # Rows of a large catalogue are kept sparse.
    "attrformer-sparse": _options(
        {"name": "attrformer", **SMALL, "low_rank": 2}, {**RELATIONS, "dense_items": 1, "top_k": 6}
    ),
    # Few relations, since ONNX takes seconds to translate each.
    "attrformer-few": _options({"name": "attrformer", **SMALL, "low_rank": 2}, FEW),
    **{name: _options({"name": name, **SMALL, **more}) for name, more in _LEARNED.items()},
    **{name: _options({"name": name, **more}) for name, more in _COUNTED.items()},
}
"""Every saved model by the name of its folder."""

OURS = ("attrformer", "attrformer-sparse", "attrformer-few")
LEARNED = (*OURS, *_LEARNED)
