"""Searches: what is tried, what is kept, what is chosen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.benchmark.builders import carried_out, quiet

from attrformer.benchmark.files import append_line, read_lines
from attrformer.benchmark.jobs import Selection, jobs
from attrformer.benchmark.options import Overrides, configuration
from attrformer.benchmark.plan import Plan, Range, Space
from attrformer.benchmark.runner import Runner
from attrformer.benchmark.tuner import Tuner, load_optuna, suggest
from attrformer.config import to_dict
from attrformer.errors import ConfigurationError

MakePlan = Callable[..., Plan]
SPACE: Space = {"rate": Range(3e-4, 3e-3, log=True), "layers": Range(1, 3), "kind": ("a", None, 2.5)}
ROW = (
    "name: sasrec, title: SASRec, set: {model.name: sasrec}, "
    "space: {training.learning_rate: {low: 1e-4, high: 1e-1, log: true}, model.expansion: [1, 2, 3]}"
)


def test_suggestions_stay_in_the_space_and_are_the_same_again() -> None:
    pytest.importorskip("optuna")
    tried: list[tuple[dict[str, Any], float]] = []
    for number in range(12):
        found = suggest(SPACE, tried, number)
        assert found is not None and found == suggest(SPACE, tried, number)
        assert isinstance(found["rate"], float) and 3e-4 <= found["rate"] <= 3e-3
        assert found["rate"] == float(f"{found['rate']:.3g}")
        assert found["layers"] in (1, 2, 3) and found["kind"] in ("a", None, 2.5)
        assert found not in [options for options, _ in tried]
        tried.append((found, float(number)))
    assert len({options["rate"] for options, _ in tried}) > 6
    assert {options["kind"] for options, _ in tried} == {"a", None, 2.5}


def test_a_search_learns_from_its_trials() -> None:
    pytest.importorskip("optuna")
    space: Space = {"x": Range(0.0, 1.0)}
    tried: list[tuple[dict[str, Any], float]] = []
    for number in range(40):
        found = suggest(space, tried, number)
        assert found is not None
        tried.append((found, -((float(found["x"]) - 0.2) ** 2)))  # type: ignore[arg-type]
    # Drawn evenly the mean distance would be 0.34.
    assert sum(abs(float(options["x"]) - 0.2) for options, _ in tried[-10:]) / 10 < 0.15


def test_nothing_new_is_left_of_a_small_space() -> None:
    pytest.importorskip("optuna")
    tried: list[tuple[dict[str, Any], float]] = [({"x": 1}, 0.1), ({"x": 2}, 0.2)]
    assert suggest({"x": (1, 2)}, tried, 2) is None


def test_defaults_outside_of_the_space_do_no_harm() -> None:
    pytest.importorskip("optuna")
    assert suggest({"x": (1, 2)}, [({"x": None}, 0.5), ({"x": 1}, 0.1)], 2) == {"x": 2}


def test_without_optuna_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r'pip install "attrformer\[tune\]"'):
        load_optuna()


def tuner(plan: Plan, data: Path, *settings: str) -> Tuner:
    run = Runner(Path(plan.trials_file), allow_dirty=True, threads=1, say=quiet)
    return Tuner(plan, run, Overrides(settings), data)


@pytest.mark.slow
def test_a_search_of_real_models(make_plan: MakePlan, data: Path) -> None:
    pytest.importorskip("optuna")
    plan = make_plan(ROW, "name: fixed, set: {model.name: sasrec}", trials=2)
    pairs = Selection().of(plan)
    first = tuner(plan, data)._trial(plan.rows[0], "shop", 0, {})
    assert first is not None
    append_line(Path(plan.trials_file), carried_out(first))
    assert tuner(plan, data)(pairs) == []
    lines = read_lines(Path(plan.trials_file))
    assert [(line["row"], line["trial"]) for line in lines] == [("sasrec", 0), ("sasrec", 1)]
    assert lines[0]["options"] == {} and set(lines[1]["options"]) == {"training.learning_rate", "model.expansion"}
    assert all("test" not in line for line in lines)
    best = max(lines, key=lambda line: line["value"])
    config = configuration(plan, plan.rows[0], "shop", 0)
    assert to_dict(config)["model"]["expansion"] == best["configuration"]["model"]["expansion"]
    assert config.training.learning_rate == best["configuration"]["training"]["learning_rate"]
    text = (Path(plan.chosen) / "shop" / "sasrec.yaml").read_text()
    assert text.startswith(f"# SASRec on shop: trial {best['trial'] + 1} of 2 of `attrformer benchmark tune`")
    assert f"{best['value']:.4f}; defaults {lines[0]['value']:.4f}" in text
    # Everything is there already: nothing is run again.
    assert tuner(plan, data)(pairs) == []
    assert len(read_lines(Path(plan.trials_file))) == 2


def stored(plan: Plan, number: int, options: dict[str, Any], value: float, *settings: str) -> None:
    config = configuration(plan, plan.rows[0], "shop", 0, Overrides(settings), options)
    line = {"trial": number, "row": "sasrec", "dataset": "shop", "options": options, "value": value}
    append_line(Path(plan.trials_file), line | {"configuration": to_dict(config)})


@pytest.mark.slow
def test_searches_of_two_rows_at_a_time_choose_for_both(make_plan: MakePlan, data: Path) -> None:
    pytest.importorskip("optuna")
    plan = make_plan(ROW, ROW.replace("name: sasrec", "name: other", 1), trials=1)
    run = Runner(Path(plan.trials_file), allow_dirty=True, threads=1, say=quiet)
    assert Tuner(plan, run, Overrides(), data)(Selection().of(plan), 2) == []
    found = {(line["row"], line["trial"]) for line in read_lines(Path(plan.trials_file))}
    assert found == {("sasrec", 0), ("other", 0)}
    assert {file.name for file in (Path(plan.chosen) / "shop").iterdir()} == {"sasrec.yaml", "other.yaml"}


def test_the_best_trial_is_chosen_and_the_defaults_where_nothing_is_better(make_plan: MakePlan, data: Path) -> None:
    pytest.importorskip("optuna")
    plan = make_plan(ROW, trials=2)
    stored(plan, 0, {}, 0.2)
    stored(plan, 1, {"training.learning_rate": 1e-05, "model.expansion": 3}, 0.2)
    assert tuner(plan, data)(Selection().of(plan)) == []
    assert configuration(plan, plan.rows[0], "shop", 0).model.expansion == 2  # type: ignore[union-attr]
    stored(plan, 1, {"training.learning_rate": 1e-05, "model.expansion": 3}, 0.25)
    tuner(plan, data)(Selection().of(plan))
    config = configuration(plan, plan.rows[0], "shop", 0)
    assert (config.training.learning_rate, config.model.expansion) == (1e-05, 3)  # type: ignore[union-attr]


def test_trials_of_other_options_do_not_count(make_plan: MakePlan, data: Path) -> None:
    plan = make_plan(ROW, trials=2)
    row = plan.rows[0]
    stored(plan, 0, {}, 0.2, "training.epochs=7")
    stored(plan, 1, {"model.expansion": 3}, 0.2)
    assert set(tuner(plan, data).trials(row, "shop")) == {1}
    assert set(tuner(plan, data, "training.epochs=7").trials(row, "shop")) == {0}


def test_a_finished_run_of_the_row_is_its_trial_of_the_defaults(make_plan: MakePlan, data: Path) -> None:
    pytest.importorskip("optuna")
    plan = make_plan(ROW, trials=1)
    job = jobs(plan, root=data)[0]
    line = carried_out(job)
    append_line(Path(plan.results), line)
    assert tuner(plan, data)(Selection().of(plan)) == []
    (trial,) = read_lines(Path(plan.trials_file))
    assert not (plan_runs := Path(plan.runs) / "trials" / "shop" / "sasrec").exists() or not list(plan_runs.glob("*/"))
    assert trial["trial"] == 0 and trial["options"] == {} and not {"test", "slices", "protocol"} & set(trial)
    assert trial["value"] == pytest.approx(line["selected"]["value"], abs=1e-6)
    # It is a trial like any other from here on.
    assert set(tuner(plan, data).trials(plan.rows[0], "shop")) == {0}
