from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attrformer.benchmark.options import Overrides, configuration
from attrformer.benchmark.plan import Plan
from attrformer.benchmark.present import PresentRuns
from attrformer.config import to_dict
from attrformer.errors import ConfigurationError

ROWS = ("name: cut, group: ablation, set: {model.relation_heads: false}", "name: sasrec, set: {model.name: sasrec}")


def line(plan: Plan, row: int, *settings: str, **more: Any) -> dict[str, Any]:
    of = plan.rows[row]
    config = configuration(plan, of, "shop", 0, Overrides(settings))
    told = {"plan": "plan", "row": of.name, "group": of.group, "dataset": "shop", "seed": 0}
    return told | {"configuration": to_dict(config)} | more


def test_an_ablation_is_shown_while_its_options_are_those_of_its_plan(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    plan = make_plan(*ROWS)
    shown = PresentRuns(tmp_path)
    assert shown(line(plan, 0))
    former = line(plan, 0, "relations.repeat=false")
    assert not shown(former)
    # Other groups, and what no plan knows any more, are shown as they are.
    assert shown(line(plan, 1, "relations.repeat=false", group="paper"))
    for more in ({"row": "gone"}, {"dataset": "gone"}, {"plan": "gone"}):
        assert shown(former | more)


def test_an_ablation_is_not_shown_on_data_that_its_plan_leaves_out(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    told = line(make_plan(ROWS[0]), 0)
    shown = PresentRuns(tmp_path)
    assert shown(told)
    make_plan(f"{ROWS[0]}, only: []")
    assert not PresentRuns(tmp_path)(told)


def test_a_damaged_plan_is_named(tmp_path: Path, make_plan: Callable[..., Plan]) -> None:
    plan = make_plan(*ROWS)
    (tmp_path / "plan.yaml").write_text("rows: 3", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"plan\.yaml"):
        PresentRuns(tmp_path)(line(plan, 0))
