"""Names of relations: one for people, which holds the name of the column as it is, and one for torch.

The name for people begins with the kind, and no kind is the beginning of another relation's name ("repeat",
"time_bucket"), so two relations never have the same name, whatever the columns are called. Torch takes no name with a
dot, and its exporter none with a quote, so it is given the same name with all but plain letters, digits, "_", "-" and
"~" written as in a web address. Names of these signs are the same for both.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

KINDS = ("item", "user", "edge", "behaviour")
"""What a relation that is named after a column or an edge table may be of."""


def relation_name(kind: str, name: str) -> str:
    """The name under which a relation is reported, such as "item_brand".

    Args:
        kind: "item", "user", "edge" or "behaviour".
        name: of the column or edge table, any text.
    """
    return f"{kind}_{name}"


def module_key(name: str) -> str:
    """The name of a relation as torch takes it, for modules and parameters.

    Args:
        name: as `relation_name` gives it, or that of a relation without a column.
    """
    return quote(name, safe="").replace(".", "%2E")


def name_of_key(key: str) -> str:
    """The inverse of `module_key`."""
    return unquote(key)


def earlier_key(kind: str, name: str) -> str:
    """The name that torch was given before all signs were escaped: "a.b" and "a_b" had the same one."""
    return f"{kind}_{name.replace('.', '_')}"
