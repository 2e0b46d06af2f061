"""Relations and options by the names that earlier versions gave them."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.small_log import ITEMS, LOG

from attrformer import Config, Dataset, earlier_names, time_split
from attrformer.config import describe
from attrformer.errors import AttrFormerWarning, ConfigurationError, DataError
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.relations.config import RelationsConfig

TODAY = [option.name for option in describe(Config)]


def test_every_name_of_the_table_leads_to_an_option_of_today() -> None:
    for earlier, name in earlier_names.OPTIONS.items():
        assert any(option == name or option.startswith(f"{name}.") for option in TODAY), name
        assert not any(option == earlier or option.startswith(f"{earlier}.") for option in TODAY), earlier
    assert len(set(earlier_names.OPTIONS.values())) == len(earlier_names.OPTIONS)


@given(st.sampled_from(TODAY))
def test_a_name_of_today_comes_back_from_its_earlier_one(name: str) -> None:
    assert earlier_names.option(name) == name
    assert earlier_names.option(earlier_names.earlier_option(name)) == name


def test_names_are_replaced_as_a_whole() -> None:
    assert earlier_names.option("relations.near.window") == "relations.cooccurrence_near.window"
    assert earlier_names.option("relations.nearest") == "relations.nearest"
    assert earlier_names.option("model.near") == "model.near"
    assert earlier_names.option("seed") == "seed"


@pytest.mark.parametrize(
    ("earlier", "name"),
    [
        ("relations.near.gate.bias", "relations.cooccurrence_near.gate.bias"),
        ("layers.0.attention.temperature.identity", "layers.0.attention.temperature.repeat"),
        ("relations.neighbours.user_relation.user_next", "relations.similar_users.user_relation.user_next"),
        # Of a network of one's own, and of an attribute that is called so.
        ("next.weight", "next.weight"),
        ("relations.item_near.gate.bias", "relations.item_near.gate.bias"),
        ("relations.nearer.bias", "relations.nearer.bias"),
    ],
)
def test_parameters_of_relations_are_renamed_and_no_others(earlier: str, name: str) -> None:
    assert earlier_names.parameter(earlier) == name
    assert earlier_names.earlier_parameter(name) == earlier


def test_a_stored_configuration_is_read_without_a_word() -> None:
    stored = {"seed": 3, "relations": {"moments": 8, "near": {"window": 2}}, "model": {"neighbour_states": False}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = Config.from_dict(earlier_names.configuration(stored))
    assert (config.relations.time_buckets, config.relations.cooccurrence_near.window) == (8, 2)
    assert config.model == AttrFormerConfig(similar_user_states=False)


def test_yaml_mappings_and_settings_take_earlier_names_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text("relations:\n  moment: false\n  neighbour_count: 3\n", encoding="utf-8")
    wanted = Config().override("relations.time_bucket=false", "relations.similar_users_count=3")
    note = r"'relations.moment' is called 'relations.time_bucket' now"
    for read in (
        lambda: Config.from_yaml(tmp_path / "old.yaml"),
        lambda: Config.from_dict({"relations": {"moment": False, "neighbour_count": 3}}),
        lambda: Config(relations={"moment": False, "neighbour_count": 3}),
        lambda: Config().override("relations.moment=false", "relations.neighbour_count=3"),
    ):
        with pytest.warns(AttrFormerWarning, match=note):
            assert read() == wanted
    with pytest.warns(AttrFormerWarning, match="'relations.near' is called"):
        assert Config().override("relations.near.window=3").relations.cooccurrence_near.window == 3


def test_both_names_at_once_are_refused() -> None:
    with (
        pytest.warns(AttrFormerWarning),
        pytest.raises(ConfigurationError, match=r"is called 'relations\.repeat' now, and both are set"),
    ):
        Config.from_dict({"relations": {"identity": True, "repeat": False}})


def test_an_argument_of_before_is_refused_with_its_new_name() -> None:
    with pytest.raises(ConfigurationError, match=r"^'near' is called 'cooccurrence_near' now\.$"):
        RelationsConfig(near={"window": 3})  # type: ignore[call-arg]


def test_arguments_of_before_are_taken_with_a_warning() -> None:
    dataset = Dataset.from_frames(LOG)
    wanted = time_split(dataset, validation_from=15, test_from=25)
    with pytest.warns(AttrFormerWarning, match=r"'test' of time_split is called 'test_from' now\. The earlier name is"):
        found = time_split(dataset, validation=15, test=25)  # type: ignore[call-arg]
    assert [part.items.tolist() for part in (found.train, found.validation, found.test)] == [
        part.items.tolist() for part in (wanted.train, wanted.validation, wanted.test)
    ]
    with pytest.raises(ConfigurationError, match=r"'test' of time_split .* Both are given\. Give test_from alone\."):
        time_split(dataset, validation_from=15, test_from=25, test=25)  # type: ignore[call-arg]


def test_values_of_before_are_read_as_those_of_today(tmp_path: Path) -> None:
    LOG.write_csv(tmp_path / "interactions.csv")
    ITEMS.write_csv(tmp_path / "items.csv")
    for read in (partial(Dataset.from_frames, LOG, ITEMS), partial(Dataset.load, tmp_path)):
        with pytest.warns(AttrFormerWarning, match="'unknown' of .* is called 'on_unknown' now"):
            before = read(unknown="drop")
        assert before.notes == read(on_unknown="skip").notes == read().notes
        for told in ({"unknown": "error"}, {"on_unknown": "raise"}):
            with warnings.catch_warnings(), pytest.raises(DataError, match=r"'w'.*pass on_unknown='skip'"):
                warnings.simplefilter("ignore", AttrFormerWarning)
                read(**told)  # type: ignore[arg-type]
