"""Names of columns that a shop computes from what users did, test interactions included."""

from __future__ import annotations

import re
from typing import Final

_EVENT: Final = (
    "rating|review|vote|sale|sold|order|purchase|buy|buyer|play|listen|listener|view|viewer|visit|click|like|dislike|"
    "download|share|comment|rater|reader|follower|interaction|event|user|customer|stream|watch|favorite|favourite|"
    "collect|report|impression|show|owner|helpful|wishlist"
)
_COUNT: Final = "n|num|count|cnt|total|sum"
_MEAN: Final = "average|avg|mean|median|weighted"
_PATTERNS: Final = tuple(
    re.compile(f"^({pattern})$")
    for pattern in (
        # average_rating, review_score_mean, vote_average
        rf"({_MEAN})_(\w+_)?(rating|score|star|vote|review|playtime)s?",
        rf"(rating|score|star|vote|review)s?_(\w+_)?({_MEAN})",
        # num_reviews, number_of_ratings, total_sales, rating_number, play_cnt, like_user_num
        rf"({_COUNT}|nr|no|number)_(of_)?({_EVENT})s?",
        rf"({_EVENT})s?_(\w+_)?({_COUNT})s?",
        # An order number is an id, a rating number counts.
        r"(rating|review|vote|sale)s?_(nr|no|number)",
        # sales, units_sold, sales_rank, best_seller_rank, popularity_score, helpful_vote
        r"sales?|units_sold|items_sold|popularity(_\w+)?|\w+_popularity|popular|votes|views|clicks|likes|downloads",
        r"sales?_rank|best_?sellers?_rank|popularity_rank|chart_rank|rank_\w+|salesrank|bestseller|plays|listeners",
        r"helpful(_votes?|ness)?|(useful|funny|cool)_votes?|vote|upvotes|downvotes|playcount|viewcount|followers",
        r"also_(buy|bought|view|viewed)(_\w+)?|(bought|viewed)_together|frequently_bought_together(_\w+)?",
        r"buy_after_viewing|bought_together_count",
        r"(last|latest)_(interaction|seen|active|activity|purchase|order|visit|login|event|rating|review)(_\w+)?",
        r"(revenue|box_office|gross|turnover)(_\w+)?|(imdb|tmdb|metacritic|rt|tomato)_(rating|score|vote)s?",
        r"metascore|metacritic|ratings_total|reviews_total|lifetime_value|ltv|churn(ed)?",
    )
)


def after_the_fact(name: str) -> bool:
    """Whether a column of this name usually holds what was computed after the interactions, from them.

    Such a column (an average rating, a number of reviews, a sales rank, what was also bought) knows of the interactions
    that a test asks for. It is read only where its kind is declared.

    Args:
        name: of a column, in any spelling: `average_rating`, `averageRating`, `Average Rating`, `AVG-RATING`.
    """
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return any(pattern.match(plain) for pattern in _PATTERNS)
