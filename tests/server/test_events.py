"""Events of histories over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.server.test_api import flat, got, posted
from tests.support.event_shop import event_shop
from tests.support.recommenders import small_config

from attrformer.recommender import AttrFormer
from attrformer.server.options import ServeOptions
from attrformer.server.state import Service


@pytest.mark.slow
def test_a_history_with_its_events_has_the_answer_of_the_user(tmp_path: Path) -> None:
    config = small_config("relations.similar_users=false", "data.targets=event=purchase", "training.epochs=1")
    AttrFormer(config).fit(event_shop(users=60), progress=False).save(tmp_path / "run" / "model")
    service = Service(tmp_path / "run", ServeOptions())
    service.engine.start()
    try:
        items = got(service, "/v1/history?user_id=u7&limit=2000").json()["items"]
        assert {item["behaviours"]["event"] for item in items} >= {"view", "purchase"}
        entries = [{key: item[key] for key in ("item_id", "timestamp", "behaviours")} for item in items]
        by_id = posted(service, "/v1/recommend", {"users": ["u7"]}).json()["results"]
        assert flat(posted(service, "/v1/recommend", {"histories": {"u7": entries}}).json()["results"]) == flat(by_id)
        entries[0]["behaviours"] = {"event": "steal"}
        answer = posted(service, "/v1/recommend", {"histories": {"u7": entries}})
        assert answer.status_code == 422 or answer.status_code == 400
        assert "the event 'steal' is no value that training knew" in answer.text
    finally:
        service.close()
