"""Names of relations, which torch takes as names of modules and therefore must not hold a dot."""

from __future__ import annotations


def relation_name(kind: str, name: str) -> str:
    """The name under which a relation is kept and reported, such as "item_brand".

    Args:
        kind: "item", "user", "edge" or "behaviour"; it keeps a column called "keys" apart from torch's own names.
        name: of the column or edge table.
    """
    return f"{kind}_{name.replace('.', '_')}"
