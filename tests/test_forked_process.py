"""A child that is forked after a model was loaded is refused at once, and does not hang."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import os
import polars as pl
import attrformer

def fitted():
    table = pl.DataFrame({"user_id": [1] * 5 + [2] * 5, "item_id": [1, 2, 3, 4, 5, 2, 3, 4, 5, 6]})
    dataset = attrformer.Dataset.from_frames(table)
    return attrformer.Recommender("popularity").fit(dataset, progress=False)

def in_child(call):
    child = os.fork()
    if not child:
        try:
            print("answered", len(call()), flush=True)
        except attrformer.ForkedProcessError as error:
            print("refused", error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)

in_child(lambda: fitted().recommend([1], k=1))
model = fitted()
for call in (
    lambda: model.recommend([1]),
    lambda: model.explain([1]),
    lambda: model.similar_items([1], by="cooccurrence_near"),
    lambda: attrformer.Recommender.load("x"),
    lambda: attrformer.Dataset.from_frames(pl.DataFrame({"user_id": [1]})),
    fitted,
):
    in_child(call)
print("parent", len(model.recommend([1], k=1)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_forked_after_a_model_was_used_is_refused_and_does_not_hang() -> None:
    # At the default number of threads, whose pools do not survive.
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, timeout=600, env=plain
    )
    assert found.returncode == 0, found.stderr
    first, *refused, last = found.stdout.splitlines()
    # A child of a process that has used nothing yet is a process like any other.
    assert (first, last) == ("answered 1", "parent 1")
    assert len(refused) == 6
    assert all(
        line.startswith("refused ") and "Load the model in each worker after the fork" in line for line in refused
    )
