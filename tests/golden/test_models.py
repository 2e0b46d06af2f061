"""Models that were saved before answer today what they answered then."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.golden import store
from tests.golden.compare import ABSOLUTE, RELATIVE, assert_same
from tests.golden.kinds import KINDS
from tests.golden.questions import QUESTIONS, catalogue_scores, every_answer, load

from attrformer import ConfigurationError, Recommender

pytestmark = pytest.mark.slow


@functools.cache
def answered(name: str) -> tuple[dict[str, Any], list[Any]]:
    answers, words = store.without_words(every_answer(name))
    return answers, words


def test_every_kind_of_model_is_kept() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Recommender("no such model at all")
    listed = str(refused.value).partition("There are: ")[2].partition(". ")[0].split(", ")
    kept = {options["model"]["name"] for options in KINDS.values()}
    assert kept <= set(listed), "the list of models is no longer read from the message"
    assert set(listed) == kept, "add the model to tests/golden/kinds.py"


def test_the_fixture_is_small_and_was_not_touched() -> None:
    manifest = json.loads(store.MANIFEST.read_text(encoding="utf-8"))
    assert manifest["format"] == store.FORMAT
    assert manifest["models"] == store.checksums()
    assert list(manifest["models"]) == sorted(KINDS)
    files = [path for path in store.FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 1_000_000


@pytest.mark.parametrize("name", KINDS)
def test_scores_over_the_catalogue(name: str) -> None:
    scores = catalogue_scores(load(name)).drop("user_id").to_numpy()
    np.testing.assert_allclose(scores, store.read_scores()[name], rtol=RELATIVE, atol=ABSOLUTE)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", KINDS)
def test_answers(name: str, question: str) -> None:
    assert_same(answered(name)[0][question], store.read(name)[question], f"{name} > {question}")


@pytest.mark.parametrize("name", KINDS)
def test_reasons_are_worded_as_they_were(name: str) -> None:
    assert answered(name)[1] == store.read("words")[name]


@pytest.mark.parametrize("name", ["attrformer", "sasrec", "transitions"])
def test_a_model_that_is_saved_again_answers_the_same(name: str, tmp_path: Path) -> None:
    load(name).save(tmp_path / "again")
    again = catalogue_scores(Recommender.load(tmp_path / "again", device="cpu"))
    assert again.equals(catalogue_scores(load(name)))
