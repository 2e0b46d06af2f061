"""What a shop computes from the interactions is not read unless it is declared."""

from __future__ import annotations

import polars as pl
import pytest

from attrformer.config import override
from attrformer.data import Dataset, after_the_fact
from attrformer.recommender import Config, Recommender

COMPUTED = """average_rating averageRating Average-Rating avg_rating mean_rating rating_mean rating_number ratingNumber
rating_count ratings_count num_reviews numReviews n_ratings review_count reviews_count number_of_ratings total_reviews
sales_rank salesRank SalesRank sales units_sold popularity popularity_score num_orders order_count play_cnt like_cnt
like_user_num view_count views vote_average vote_count votes helpful_vote helpful_votes vote also_buy also_bought
also_view also_viewed bought_together bought_together_count also_bought_count last_purchase last_interaction_date
n_users user_count purchases_count revenue imdb_rating playcount"""
PLAIN = """rating price brand category genres year title age gender released name order_number customer_number user_no
review country item_number number count n total rank views_on_life viewing_angle salesman share average mean voter
popular_science popularly story_count_of_floors ordering plays_guitar vote_type_code liked_colour size color"""


@pytest.mark.parametrize("name", COMPUTED.split())
def test_names_of_what_is_computed_are_known_in_any_spelling(name: str) -> None:
    assert after_the_fact(name)


@pytest.mark.parametrize("name", PLAIN.split())
def test_other_names_are_not(name: str) -> None:
    assert not after_the_fact(name)


LOG = pl.DataFrame(
    {"user_id": [u for u in range(12) for _ in range(4)], "item_id": [(u + i) % 5 for u in range(12) for i in range(4)]}
).with_columns(timestamp=pl.int_range(48), helpful_vote=pl.int_range(48) % 3)
ITEMS = pl.DataFrame({"item_id": range(5), "average_rating": [1.5, 2.5, 3.5, 4.5, 2.0], "brand": list("aabbc")})


def test_computed_columns_are_left_out_with_a_note_and_read_where_they_are_declared() -> None:
    dataset = Dataset.from_frames(LOG, ITEMS)
    assert list(dataset.item_attributes) == ["brand"] and dataset.sequences.behaviours == {}
    notes = "\n".join(dataset.notes)
    assert "items: column 'average_rating' is not used, by its name it is computed after the interactions" in notes
    assert "kinds={'average_rating': 'numeric'}" in notes and "kinds={'interactions.helpful_vote': 'numeric'}" in notes
    declared = {"average_rating": "numeric", "helpful_vote": "numeric"}
    dataset = Dataset.from_frames(LOG, ITEMS, kinds=declared)
    assert list(dataset.item_attributes) == ["average_rating", "brand"]
    assert list(dataset.sequences.behaviours) == ["helpful_vote"]


def test_the_protocol_line_names_declared_ones() -> None:
    config = override(Config(), ["model.name=popularity"])
    for kinds, said in (({}, False), ({"average_rating": "numeric"}, True)):
        dataset = Dataset.from_frames(LOG, ITEMS, kinds=kinds)
        line = Recommender(config).fit(dataset, progress=False).evaluate(dataset).protocol.line()
        assert ("attributes computed after the fact: average_rating" in line) == said
