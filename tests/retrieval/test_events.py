"""Relations that push down, and rows that only some positions contribute to, in an index."""

from __future__ import annotations

import pytest
from tests.retrieval.builders import assert_same_answers
from tests.support.event_shop import event_log, event_shop
from tests.support.recommenders import small_config

from attrformer.recommender import AttrFormer
from attrformer.retrieval import Index, IndexOptions

pytest.importorskip("usearch")


@pytest.mark.slow
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("content", [12, 200])
def test_an_index_gives_what_the_model_gives(sparse: bool, content: int) -> None:
    config = small_config(
        *("relations.similar_users=false", "data.targets=event=purchase", "data.negative=event=return"),
        *("training.epochs=1", f"relations.dense_items={0 if sparse else 1000}", "relations.top_k=40"),
    )
    model = AttrFormer(config).fit(event_shop(users=80, returns=True), progress=False)
    index = Index.build(model, IndexOptions(method="approximate", content=content))
    log = event_log(users=12, seed=5, returns=True)
    for hide in (True, False):
        ours = model.recommend(histories=log, k=6, hide_seen=hide)
        assert_same_answers(index.search(histories=log, k=6, hide_seen=hide), ours)
