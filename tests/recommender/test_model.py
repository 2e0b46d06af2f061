from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.recommenders import SMALL, small_config

import attrformer
from attrformer.config import override
from attrformer.data.attributes import Attribute
from attrformer.data.dataset import Dataset
from attrformer.data.filters import keep_items
from attrformer.data.id_map import IdMap
from attrformer.data.splits import leave_one_out
from attrformer.errors import ConfigurationError, DataError, NotFittedError
from attrformer.recommender import AttrFormer, Config, Recommender


def reversed_catalogue(dataset: Dataset) -> Dataset:
    """The same data, items and users coded from the other end."""
    users, items = np.arange(dataset.user_count)[::-1], np.arange(dataset.item_count)[::-1]
    sequences = dataset.sequences.rows(users)
    flipped = (dataset.item_count - 1 - sequences.items).astype(np.int32)

    def take(attributes: dict[str, Attribute], rows: np.ndarray) -> dict[str, Attribute]:
        return {name: attribute.take(rows) for name, attribute in attributes.items()}

    return replace(
        dataset,
        user_ids=IdMap(dataset.user_ids.decode(users)),
        item_ids=IdMap(dataset.item_ids.decode(items)),
        sequences=replace(sequences, items=flipped),
        item_attributes=take(dataset.item_attributes, items),
        user_attributes=take(dataset.user_attributes, users),
        item_titles=None,
    )


def test_an_import_does_not_wait_for_torch() -> None:
    code = "import sys, attrformer; attrformer.__version__; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(Path("src").resolve())})


def test_the_package_gives_what_it_names() -> None:
    for name in attrformer.__all__:
        assert getattr(attrformer, name) is not None
    assert attrformer.AttrFormer is AttrFormer
    assert set(attrformer.__all__) <= set(dir(attrformer))
    with pytest.raises(AttributeError, match="attrformer' has no attribute 'Transformer"):
        _ = attrformer.Transformer


def test_an_unfitted_model_says_so() -> None:
    for call in (AttrFormer().recommend, AttrFormer().explain, AttrFormer().relation_strengths):
        with pytest.raises(NotFittedError, match="fit"):
            call()
    assert repr(AttrFormer()) == "AttrFormer(model.name=attrformer), not fitted"


def test_what_a_notebook_shows(model: AttrFormer) -> None:
    weights = sum(parameter.numel() for parameter in model.fitted.network.parameters())
    assert repr(model) == (
        f"AttrFormer(model.name=attrformer), fitted on shop: 150 users, 120 items, {weights:,} parameters"
    )
    assert repr(model.evaluation) == str(model.evaluation)


def test_evaluation_states_its_protocol(model: AttrFormer, dataset: Dataset) -> None:
    evaluation = model.evaluate(dataset)
    line = evaluation.protocol.line()
    assert "shop | 150 users | all 120 items ranked | leave-one-out test" in line
    assert "best epoch by validation NDCG@20 (mean of seen=hidden and seen=ranked)" in line
    assert "item_relations as relations: none" in line
    assert model.evaluate(dataset, part="validation").protocol.part == "validation"


def test_evaluation_repeats_what_fit_measured(model: AttrFormer, dataset: Dataset) -> None:
    assert model.evaluation is not None
    assert model.evaluate(dataset).to_json() == model.evaluation.to_json() == model.fitted.knowledge.figures


def test_evaluation_survives_saving(model: AttrFormer, dataset: Dataset, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    before, after = model.evaluate(dataset), AttrFormer.load(tmp_path / "model", device="cpu").evaluate(dataset)
    for seen in ("hidden", "ranked"):
        np.testing.assert_array_equal(before.ranks[seen], after.ranks[seen])
        np.testing.assert_array_equal(before.lists[seen], after.lists[seen])


def test_evaluation_goes_by_external_ids(model: AttrFormer, dataset: Dataset) -> None:
    there, back = model.evaluate(dataset), model.evaluate(reversed_catalogue(dataset))
    np.testing.assert_array_equal(there.ranks["hidden"], back.ranks["hidden"][::-1])
    np.testing.assert_array_equal(there.items, dataset.item_count - 1 - back.items[::-1])


def test_evaluation_of_a_given_split(model: AttrFormer, dataset: Dataset) -> None:
    split = leave_one_out(dataset, minimum=10)
    assert model.evaluate(dataset, split=split).protocol.users == len(split.test) < dataset.user_count


def test_another_catalogue_is_refused(model: AttrFormer, dataset: Dataset) -> None:
    fewer = keep_items(dataset, dataset.item_ids.to_list()[:-1])
    with pytest.raises(DataError, match="catalogue has 119 items, the model was fitted on 120"):
        model.evaluate(fewer)
    renamed = replace(dataset, item_ids=IdMap.from_list([f"other-{n}" for n in range(dataset.item_count)]))
    with pytest.raises(DataError, match="'other-0' is not among them"):
        model.evaluate(renamed)


def test_an_unknown_part_is_refused(model: AttrFormer, dataset: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="Unknown part 'train'"):
        model.evaluate(dataset, part="train")


def test_attrformer_refuses_the_options_of_another_model() -> None:
    with pytest.raises(ConfigurationError, match="Use Recommender in place of AttrFormer"):
        AttrFormer(small_config("model.name=sasrec"))


@pytest.mark.slow
def test_any_model_is_fitted_saved_and_loaded_by_the_same_calls(dataset: Dataset, tmp_path: Path) -> None:
    options = [text for text in SMALL if not text.startswith("model.")]
    config = override(Config(), [*options, "model.name=sasrec", "model.width=16", "model.layers=1"])
    model = Recommender(config).fit(dataset, run=tmp_path / "run", progress=False)
    loaded = Recommender.load(tmp_path / "run" / "model")
    assert loaded.config == config
    assert loaded.recommend(k=5).equals(model.recommend(k=5))
    explained = loaded.explain(k=2)
    assert set(explained["component"]) == {"content"}
    assert explained["contribution"].to_list() == pytest.approx(explained["score"].to_list(), abs=1e-5)
    assert model.evaluation is not None
    assert model.relation_strengths() == {} and model.pair_attributes() == []
