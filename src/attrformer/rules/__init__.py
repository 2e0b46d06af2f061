"""Rules of a shop: conditions on item attributes, limits, boosts, diversity, pinned and new items."""
