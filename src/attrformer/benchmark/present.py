"""Whether a run that lies in the results is the one that its plan would make today."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrformer.benchmark.options import configuration, is_run_of
from attrformer.benchmark.plan import Plan, load_plan
from attrformer.errors import ConfigurationError

COMPARED: Final = ("ablation", "whole", "length")
"""Groups whose rows are compared with each other and say nothing beside rows of other options."""


class PresentRuns:
    """Knows the plans that results were made by.

    Args:
        folder: of the plans' YAML files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._plans = folder, dict[str, Plan | None]()

    def __call__(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is shown: always where its plan, row or dataset is not there any more to say otherwise.

        Args:
            line: of a finished run.

        Raises:
            ConfigurationError: a plan cannot be read.
        """
        if line["group"] not in COMPARED:
            return True
        plan = self._plan(str(line["plan"]))
        row = None if plan is None else next((row for row in plan.rows if row.name == line["row"]), None)
        if plan is None or row is None or line["dataset"] not in plan.data:
            return True
        if not plan.runs_on(row, line["dataset"]):
            return False
        try:
            return is_run_of(line, configuration(plan, row, line["dataset"], line["seed"]))
        except ConfigurationError:
            return False

    def _plan(self, name: str) -> Plan | None:
        if name not in self._plans:
            path = self._folder / f"{name}.yaml"
            self._plans[name] = load_plan(path) if path.is_file() else None
        return self._plans[name]
