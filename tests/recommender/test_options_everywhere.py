"""A parameter is written once: every option is reached by settings, YAML, Python and the JSON of saved runs."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.recommender.option_values import (
    MODELS,
    NAME,
    ProbeOptions,
    another_value,
    names_in,
    nested,
    options_of,
    setting,
    value_at,
)

import attrformer
from attrformer import (
    AttrFormer,
    Config,
    ConfigurationError,
    CooccurrenceConfig,
    DataConfig,
    Recommender,
    SASRecConfig,
    TrainingConfig,
)
from attrformer.cli import runs
from attrformer.config.words import parse_yaml, yaml_text
from attrformer.recommender.config import changed_options
from attrformer.recommender.run_folder import RunFolder

pytestmark = pytest.mark.slow

COMMON = tuple(option.name for option in options_of("popularity") if not option.name.startswith("model."))
NAMES = {model: tuple(o.name for o in options_of(model) if o.name.startswith("model.")) for model in MODELS}
NAMES["attrformer"] += COMMON


def base_of(model: str) -> Config:
    return Config(model={"name": model})


@pytest.mark.parametrize("model", MODELS)
def test_the_list_names_every_option_and_no_other(model: str) -> None:
    known = {option.name for option in options_of(model)}
    assert sorted(names_in(base_of(model).to_dict(), known)) == sorted({NAME, *known})


def test_the_options_are_many() -> None:
    assert len(COMMON) > 60 and sum(map(len, NAMES.values())) > 180


@pytest.mark.parametrize("model", MODELS)
def test_every_option_is_reached_by_settings_yaml_python_and_json(model: str) -> None:
    base = base_of(model)
    for name in NAMES[model]:
        value = another_value(model, name)
        changed = base.override(setting(name, value))
        assert value_at(changed.to_dict(), name) == value != value_at(base.to_dict(), name), name
        assert all(option.startswith(name) for option in changed_options(base.to_dict(), changed)), name
        # Python: mappings, and the classes themselves; saved runs hold JSON.
        assert Config(**changed.to_dict()) == Recommender(changed.to_dict()).config == changed, name
        assert with_value(base, name.split("."), value) == changed, name
        assert Config.from_dict(json.loads(json.dumps(changed.to_dict()))) == changed, name
        # A mapping or a file may name the one option alone.
        alone = nested(name, value)
        alone["model"] = {"name": model, **alone.get("model", {})}
        made = Config.from_dict(parse_yaml(yaml_text(alone), source="test"))
        assert made == Config(**alone) and value_at(made.to_dict(), name) == value, name


@pytest.mark.parametrize("model", MODELS)
def test_commands_and_run_folders_keep_every_option(model: str, tmp_path: Path) -> None:
    names, changed = [], base_of(model)
    for name in NAMES[model]:
        # Some values can be used alone and not together, such as a width and a number of heads.
        with suppress(ConfigurationError):
            changed = changed.override(setting(name, another_value(model, name)))
            names.append(name)
    assert len(names) >= 0.8 * len(NAMES[model])
    given_ = [setting(NAME, model), *(setting(name, value_at(changed.to_dict(), name)) for name in names)]
    assert runs.configuration(None, given_) == changed
    changed.to_yaml(tmp_path / "all.yaml")
    assert runs.configuration(tmp_path / "all.yaml", []) == Config.from_yaml(tmp_path / "all.yaml") == changed
    RunFolder(tmp_path / "run").claim(changed, {})
    assert runs.configuration(None, [], resumed=tmp_path / "run") == changed


def with_value(options: Any, names: list[str], value: Any) -> Any:
    """Options made by their own classes, with one changed."""
    first, *rest = names
    inner = with_value(getattr(options, first), rest, value) if rest else value
    own = {key: getattr(options, key) for key in options.to_dict()}
    return type(options)(**{**own, first: inner})


@st.composite
def configurations(draw: st.DrawFn) -> Config:
    """Options of any model, some of them changed."""
    model = draw(st.sampled_from(MODELS))
    names = draw(st.lists(st.sampled_from([option.name for option in options_of(model)]), unique=True))
    try:
        return base_of(model).override(*(setting(name, another_value(model, name)) for name in names))
    except ConfigurationError:
        assume(False)
        raise


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(configurations())
def test_all_options_survive_every_form(config: Config) -> None:
    values = config.to_dict()
    assert Config.from_dict(json.loads(json.dumps(values))) == config
    assert Config.from_dict(parse_yaml(yaml_text(values), source="test")) == config
    # Options of a relation from outside are named as their own class is.
    names = {**{name: getattr(attrformer, name) for name in attrformer.__all__}, "ProbeOptions": ProbeOptions}
    assert eval(repr(config), names) == config
    known = {option.name for option in options_of(config.model.name)}
    every = [setting(name, value_at(values, name)) for name in names_in(values, known)]
    assert Config().override(*every) == config.override(*every) == config.override() == config


def test_what_is_shown_of_a_configuration() -> None:
    config = Config(seed=3, training={"epochs": 5}, model={"name": "sasrec", "width": 32})
    assert repr(config) == "Config(seed=3, model=SASRecConfig(width=32), training=TrainingConfig(epochs=5))"
    assert repr(Config()) == "Config()" and repr(Config(data={"core": 5})) == "Config(data=DataConfig(core=5))"


def test_a_model_takes_its_options_in_every_form(tmp_path: Path) -> None:
    wanted = Config(training=TrainingConfig(epochs=5), data=DataConfig(core=5))
    wanted.to_yaml(tmp_path / "run.yaml")
    for given_ in (wanted, wanted.to_dict(), Config.from_yaml(tmp_path / "run.yaml"), {"training": {"epochs": 5}}):
        assert AttrFormer(given_).config.training == wanted.training
    assert AttrFormer(wanted).config is wanted and AttrFormer().config == Config()
    assert Recommender(SASRecConfig(width=32)).config == Config(model=SASRecConfig(width=32))
    assert replace(wanted, data=DataConfig()) == Config(training={"epochs": 5})


def test_the_example_of_the_document_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    section = text.partition("## Setting options\n")[2].partition("\n## ")[0]
    program, printed = re.findall(r"^```\w*\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(program, names)
    assert capsys.readouterr().out == printed
    assert names["model"].config == Config.from_yaml("run.yaml") and names["baseline"].config.model.width == 32


def test_parts_with_defaults_of_their_own_keep_them_where_settings_name_one_option() -> None:
    whole = Config().relations.cooccurrence_wide
    assert Config().override("relations.cooccurrence_wide.window=9").relations.cooccurrence_wide == replace(
        whole, window=9
    )
    # A mapping stands for the class alone, as the document says.
    assert (
        Config(relations={"cooccurrence_wide": {"window": 9}}).relations.cooccurrence_wide
        == CooccurrenceConfig(window=9)
        != whole
    )
