"""What is known of the real data sets is what the check finds there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.check.clean import found, silent

from attrformer.data.check import CheckReport, check_path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reports() -> dict[str, CheckReport]:
    return {}


def report_on(name: str, data_root: Path, reports: dict[str, CheckReport]) -> CheckReport:
    return reports.setdefault(name, check_path(data_root / name)) if name not in reports else reports[name]


@pytest.mark.parametrize(("name", "targets", "tied"), [("beauty", 22_363, 9_719), ("ml-1m", 6_040, 2_526)])
def test_targets_at_the_time_before_them(
    name: str, targets: int, tied: int, data_root: Path, reports: dict[str, CheckReport]
) -> None:
    evidence = found(report_on(name, data_root, reports), "same-time-targets").evidence
    assert evidence["leave-one-out test targets"] == targets
    assert evidence["leave-one-out test targets at the time before"] == tied


def test_toys_carries_the_last_two_times_forward(data_root: Path, reports: dict[str, CheckReport]) -> None:
    report = report_on("toys", data_root, reports)
    evidence = found(report, "carried-forward-times").evidence
    assert (evidence["users"], evidence["share_last"], evidence["share_last_but_one"]) == (19_412, 1.0, 1.0)
    assert float(evidence["share_last_but_two"] or 0) < 0.6
    (rating,) = [use for use in report.columns if use.column == "rating"]
    assert rating.missing == pytest.approx(105 / 167_597)
    for other in ("beauty", "ml-1m"):
        assert silent(report_on(other, data_root, reports), "carried-forward-times")


def test_the_edges_of_beauty_name_test_pairs(data_root: Path, reports: dict[str, CheckReport]) -> None:
    findings = [
        one for one in report_on("beauty", data_root, reports).findings if one.id == "edges-name-held-out-pairs"
    ]
    named = {one.evidence["relation"]: one.evidence["leave-one-out named"] for one in findings}
    assert named == {"also_bought": 2_499, "also_viewed": 2_030, "bought_together": 575}
    for one in findings:
        assert float(one.evidence["leave-one-out lift"] or 0) > 20


def test_nobody_repeats_an_item_there_and_no_attribute_is_taken_for_a_leak(
    data_root: Path, reports: dict[str, CheckReport]
) -> None:
    for name in ("beauty", "toys", "ml-1m"):
        assert silent(report_on(name, data_root, reports), "repeats", "duplicate-interactions", "after-the-fact")
