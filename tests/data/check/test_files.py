from __future__ import annotations

from pathlib import Path

from tests.data.check.clean import found, log, silent

from attrformer.data.check import Severity, check_path


def test_a_file_that_is_not_read_is_a_warning_and_stands_in_the_short_form_once(tmp_path: Path) -> None:
    log().write_csv(tmp_path / "interactions.csv")
    assert silent(check_path(tmp_path), "unread-files")
    for name in ("items.xlsx", "products.csv"):
        (tmp_path / name).write_text("item_id,brand\n1,a\n")
    report = check_path(tmp_path)
    finding = found(report, "unread-files")
    assert finding.severity is Severity.WARNING
    assert finding.examples == ("'items.xlsx'", "'products.csv'")
    assert sum("items.xlsx" in line for line in report.short()) == 1
