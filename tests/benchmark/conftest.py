"""A tiny shop on disk and a plan of models that train on it within a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from attrformer.benchmark.plan import Plan, load_plan
from attrformer.data.dataset import Dataset
from attrformer.data.sample import make_sample

OPTIONS = (
    "relations.edges: [], training.epochs: 1, training.precision: float32, training.threads: 1, "
    "model.width: 8, model.layers: 1, evaluation.resamples: 50"
)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the dataset `shop`."""
    sample = make_sample(users=60, items=40, brands=4)
    folder = tmp_path_factory.mktemp("data")
    Dataset.from_frames(sample.interactions, sample.items, sample.users, name="shop").save(folder / "shop")
    return folder


@pytest.fixture
def make_plan(tmp_path: Path) -> Callable[..., Plan]:
    """Writes a plan of these rows that keeps everything in the temporary folder, and reads it."""

    def make(*rows: str, options: str = OPTIONS, **more: object) -> Plan:
        lines = [
            f"results: {tmp_path}/results/leaderboard.jsonl",
            f"trials_file: {tmp_path}/results/trials.jsonl",
            f"runs: {tmp_path}/runs",
            f"chosen: {tmp_path}/chosen",
            *(f"{name}: {value}" for name, value in more.items()),
            f'data: {{shop: {{folder: "${{ATTRFORMER_DATA}}/shop", set: {{{options}}}}}}}',
            "rows:",
            *(f"  - {{{row}}}" for row in rows),
        ]
        (tmp_path / "plan.yaml").write_text("\n".join(lines), encoding="utf-8")
        return load_plan(tmp_path / "plan.yaml")

    return make


@pytest.fixture
def said() -> list[str]:
    """What a runner tells, where it is given the list's `append`."""
    return []
