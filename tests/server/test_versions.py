"""Versions in one folder: publishing, going back, what cannot be published, and services that follow the folder."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
from pathlib import Path

import pytest
from tests.server.test_reload import larger
from tests.support.services import got, posted, until

from attrformer.errors import CheckpointError, ConfigurationError
from attrformer.recommender import AttrFormer
from attrformer.server import versions
from attrformer.server.engine import Engine
from attrformer.server.monitoring import LOGGER
from attrformer.server.options import ServeOptions
from attrformer.server.server import serve
from attrformer.server.state import Service

QUICK = ServeOptions(follow_every=0.01)


@pytest.fixture
def models(run: Path, tmp_path: Path) -> Path:
    """A folder of two versions, of which the first is current; the second knows one item more."""
    larger(run)
    folder = tmp_path / "models"
    versions.publish(run, folder, "a")
    versions.publish(run / "next", folder, "b")
    versions.publish(None, folder, "a")
    return folder


def test_a_version_is_a_copy_that_anybody_may_read(run: Path, models: Path) -> None:
    assert sorted(path.name for path in models.iterdir()) == ["a", "b", "current"]
    assert os.readlink(models / "current") == "a" and versions.current(models) == models / "a"
    for name in ("model.json", "model.safetensors"):
        assert (models / "a" / name).read_bytes() == (run / "model" / name).read_bytes()
        assert (models / "a" / name).stat().st_mode & 0o044 == 0o044
    assert len(AttrFormer.load(models / "current").fitted.knowledge.item_ids) == 80


def test_old_versions_leave_and_the_current_one_stays(run: Path, models: Path) -> None:
    named = versions.publish(run, models)
    versions.publish(run, models, "c", keep=2)
    assert sorted(path.name for path in models.iterdir()) == sorted(["c", named, "current"])
    versions.publish(None, models, named, keep=2)
    assert versions.current(models).name == named


def test_what_cannot_be_published_changes_nothing(run: Path, models: Path, tmp_path: Path) -> None:
    def refuse(_: Path) -> None:
        raise CheckpointError("no answers")

    before = sorted(models.iterdir())
    for source, version, options, kind, words in (
        (run, "a", {}, ConfigurationError, "exists already"),
        (run, "current", {}, ConfigurationError, "version is 'current'"),
        (run, "../c", {}, ConfigurationError, "version is '../c'"),
        (run, "c", {"keep": 1}, ConfigurationError, "keep is 1"),
        (run, "c", {"check": refuse}, CheckpointError, "no answers"),
        (tmp_path, "c", {}, CheckpointError, "holds no finished model"),
        (None, "c", {}, CheckpointError, "no version c. Name one that is there: a, b"),
    ):
        with pytest.raises(kind, match=words):
            versions.publish(source, models, version, **options)  # type: ignore[arg-type]
    assert sorted(models.iterdir()) == before and versions.current(models).name == "a"


def test_nothing_is_published_into_a_run(run: Path) -> None:
    before = sorted(run.rglob("*"))
    with pytest.raises(ConfigurationError, match=r"is the folder of a run\. Give one of its own"):
        versions.publish(run, run, "a", keep=2)
    assert sorted(run.rglob("*")) == before


def test_a_link_that_leads_elsewhere_is_refused(models: Path) -> None:
    (models / "current").unlink()
    with pytest.raises(CheckpointError, match="attrformer publish"):
        versions.current(models)
    (models / "current").symlink_to("/etc")
    with pytest.raises(CheckpointError, match="leads to /etc"):
        versions.current(models)


def test_answers_name_their_version_and_none_is_written_to(models: Path) -> None:
    service = Service(models, ServeOptions())
    service.engine.start()
    before = {path: path.stat().st_mtime_ns for path in models.rglob("*")}
    answer = posted(service, "/v1/recommend", {"users": ["user-0001"], "k": 1})
    assert answer.json()["version"] == answer.headers["X-Model-Version"] == "a"
    described = got(service, "/v1/model").json()
    assert (described["version"], described["may_add"]) == ("a", False)
    change = {"item_id": "item-0001", "column": "price", "value": 1.0}
    for path, body in (("items", {"items": [{"item_id": "new"}]}), ("changes", {"changes": [change]})):
        refused = posted(service, f"/v1/{path}", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "read_only")
    assert {path: path.stat().st_mtime_ns for path in models.rglob("*")} == before


def test_figures_are_of_the_model_in_use_at_the_moment_they_are_read(models: Path) -> None:
    service = Service(models, ServeOptions())

    def told() -> list[str]:
        names = ("items", "generation", "info", "ready")
        lines = [line.removeprefix("attrformer_") for line in service.metrics.text().decode().splitlines()]
        return [line for line in lines if line.split("{")[0].split(" ")[0].rpartition("_")[2] in names]

    assert told() == ["catalogue_items 0.0", "model_generation 0.0", "ready 0.0"]
    # Without the event loop, which would hear of the change later.
    service.engine.start()
    assert told() == ["catalogue_items 80.0", "model_generation 1.0", 'model_info{version="a"} 1.0', "ready 1.0"]
    versions.publish(None, models, "b")
    service.engine.reload()
    assert told() == ["catalogue_items 81.0", "model_generation 2.0", 'model_info{version="b"} 1.0', "ready 1.0"]
    service.close()


def test_two_services_of_one_model_name_it_alike(run: Path, tmp_path: Path) -> None:
    engine, other = Engine(run, ServeOptions()), Engine(Path(shutil.copytree(run, tmp_path / "copy")), ServeOptions())
    engine.start()
    other.start()
    assert engine.served is not None and other.served is not None
    first = engine.served.version
    assert len(first) == 12 and first == other.served.version
    larger(run)
    assert engine.reload().version != first


def test_a_service_follows_the_folder_past_a_version_that_cannot_be_used(run: Path, models: Path) -> None:
    async def follow() -> list[str]:
        service = Service(models, QUICK)
        await service.start()
        seen = [service.served.version]
        shutil.copytree(models / "b", models / "broken")
        (models / "broken" / "model.safetensors").write_bytes(b"torn")
        versions.publish(None, models, "broken")
        await until(lambda: failures(service) > 0)
        seen.append(service.served.version)
        versions.publish(None, models, "b")
        await until(lambda: service.served.version != "a")
        seen.append(service.served.version)
        assert service.served.generation == 2 and service.served.catalogue.search("", 1, 0)[0] == 81
        assert 'attrformer_model_info{version="b"} 1.0' in service.metrics.text().decode()
        service.close()
        return seen

    assert asyncio.run(follow()) == ["a", "a", "b"]


def test_a_version_whose_files_come_late_is_tried_again_and_logged_once(models: Path) -> None:
    lines = Lines()

    async def follow() -> str:
        service = Service(models, QUICK)
        await service.start()
        (models / "late").mkdir()
        shutil.copyfile(models / "b" / "model.json", models / "late" / "model.json")
        (models / "late" / "model.safetensors").write_bytes(b"torn")
        _link(models, "late")
        await until(lambda: failures(service) >= 3)
        assert service.served.version == "a"
        # A try that finds half a file may fail for another reason, which is logged too.
        assert lines.said == ["ready", "reload.started", "reload.failed"]
        shutil.copyfile(models / "b" / "model.safetensors", models / "late" / "model.safetensors")
        await until(lambda: "reload.done" in lines.said)
        service.close()
        return service.served.version

    with lines:
        assert asyncio.run(follow()) == "late"


def failures(service: Service) -> float:
    """Tries of a model that could not be used."""
    found = [line for line in service.metrics.text().decode().splitlines() if 'reloads_total{outcome="failed"' in line]
    return float(found[0].split()[-1]) if found else 0.0


class Lines(logging.Handler):
    """Notes the events that a service logs."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())

    def __enter__(self) -> None:
        logger = logging.getLogger(LOGGER)
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger(LOGGER).setLevel(self._level)
        logging.getLogger(LOGGER).removeHandler(self)


def test_a_service_follows_the_folder_past_an_error_that_nobody_expected(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def follow() -> str:
        service = Service(models, QUICK)
        await service.start()
        monkeypatch.setattr("attrformer.server.model_store.state", _gone)
        versions.publish(None, models, "b")
        await until(lambda: failures(service) > 0)
        monkeypatch.undo()
        await until(lambda: service.served.version != "a")
        service.close()
        return service.served.version

    assert asyncio.run(follow()) == "b"


def _gone(folder: Path) -> None:
    raise FileNotFoundError(2, "removed at this moment", str(folder))


def test_a_change_is_named_what_is_in_use_is_none_and_what_is_not_taken_is_named_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ["bad", "bad", "b", "bad", "b", "c"]
    current, looks = versions.current, itertools.count()

    def counted(folder: Path) -> Path:
        """The link leads elsewhere from one look to the next, after 16 of them."""
        step, more = divmod(next(looks), 16)
        if step == len(steps):
            raise Enough
        if not more:
            _link(folder, steps[step])
        return current(folder)

    monkeypatch.setattr(versions, "current", counted)

    async def named() -> list[tuple[str, bool]]:
        found, used = list[tuple[str, bool]](), ["a"]
        with contextlib.suppress(Enough):
            async for version, again in versions.changes(tmp_path, 0.001, lambda: used[-1]):
                found.append((version, again))
                used.extend([] if version == "bad" else [version])
        return found

    # Named at the first look, and again 2, 6, 14 and 30 looks later.
    bad = [("bad", False), *[("bad", True)] * 3]
    found = asyncio.run(named())
    assert found == [*bad, ("bad", True), ("b", False), *bad, ("c", False)]


class Enough(Exception):
    """Nothing more is to be looked at."""


def test_pauses_between_tries_grow_to_a_bound() -> None:
    assert [versions.pause_after(tries, 10) for tries in (0, 1, 2, 5, 10_000)] == [10, 20, 40, 300, 300]
    # Who looks less often than that tries whenever it looks.
    assert versions.pause_after(9, 900) == 900


def _link(folder: Path, name: str) -> None:
    (folder / "new").symlink_to(name)
    os.replace(folder / "new", folder / "current")


def test_items_cannot_be_saved_in_a_folder_of_versions(models: Path) -> None:
    with pytest.raises(ConfigurationError, match="publish a model"):
        serve(models, ServeOptions(save_added=True))
