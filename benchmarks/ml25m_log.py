"""A log of the size of MovieLens-25M as GroupLens writes its files, made by the generator of the embedded sample."""

from __future__ import annotations

from pathlib import Path

USERS, ITEMS, INTERACTIONS = 162_541, 59_047, 25_000_095
SEED = 0
GENRES = (
    "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy", "Film-Noir",
    "Horror", "IMAX", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


def write(folder: Path, scale: float) -> None:
    """Writes ratings.csv and movies.csv.

    Args:
        folder: made where needed.
        scale: share of the users and items; histories are as long at every scale.
    """
    import numpy as np
    import polars as pl

    from attrformer.data.sample import BRAND, CATEGORY, make_sample

    users, items = max(1, round(USERS * scale)), max(40, round(ITEMS * scale))
    sample = make_sample(SEED, users, items, interactions_per_user=INTERACTIONS / USERS)
    random = np.random.default_rng(SEED)
    stars = (1 + (random.random(sample.interactions.height) ** 0.6 * 10).astype(np.int8)) / 2
    user, item = (pl.col(name).str.extract(r"(\d+)$").cast(pl.Int32) for name in ("user_id", "item_id"))
    folder.mkdir(parents=True, exist_ok=True)
    sample.interactions.select(
        user.alias("userId"), item.alias("movieId"), pl.Series("rating", stars, dtype=pl.Float32), "timestamp"
    ).write_csv(folder / "ratings.csv")
    leaves = sample.items[CATEGORY].list.last().rank("dense").to_list()
    years = (2019 - (random.random(items) ** 2 * 100).astype(np.int64)).tolist()
    # The first genre follows the planted category, up to two more are drawn: about as many combinations as in reality.
    drawn = zip(
        random.integers(0, len(GENRES), (items, 2)).tolist(), random.integers(1, 4, items).tolist(), strict=True
    )
    genres = [
        "|".join(sorted({GENRES[code] for code in (leaf % len(GENRES), *more)[:count]}))
        for leaf, (more, count) in zip(leaves, drawn, strict=True)
    ]
    titles = [f"{brand} {k} ({year})" for k, (brand, year) in enumerate(zip(sample.items[BRAND], years, strict=True))]
    sample.items.select(
        item.alias("movieId"), pl.Series("title", titles, dtype=pl.String), pl.Series("genres", genres, dtype=pl.String)
    ).write_csv(folder / "movies.csv")
