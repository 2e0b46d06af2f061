"""What a model reads that may be known only after what is to be predicted."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

from attrformer.data.after_the_fact import after_the_fact
from attrformer.data.dataset import Dataset
from attrformer.data.id_numbering import FIRST_INTERACTION, IdNumbering, id_numbering
from attrformer.errors import AttrFormerWarning, KnownLaterWarning
from attrformer.recommender.config import Config
from attrformer.relations.naming import relation_name
from attrformer.relations.relation_set import RelationSet


def edges_read(dataset: Dataset, relations: RelationSet) -> tuple[str, ...]:
    """Names of the edge tables that became relations."""
    return tuple(name for name in dataset.item_relations if relation_name("edge", name) in relations)


def protocol_marks(dataset: Dataset, relations: RelationSet) -> str:
    """What the protocol line says of it.

    Args:
        dataset: that the model was trained on.
        relations: that it reads.
    """
    edges = edges_read(dataset, relations)
    marks = [f"item_relations as relations: {', '.join(edges)}; may know of targets" if edges else _NO_EDGES]
    if _reads_ids(relations):
        by_time = _numbering(dataset).kind == FIRST_INTERACTION
        marks.append("reads the order of ids" + (", which number items by first interaction" if by_time else ""))
    return " | ".join(marks)


def tell_what_is_known_later(dataset: Dataset, relations: RelationSet, config: Config, *, stacklevel: int) -> None:
    """Warns of what is read, and of edge tables and relations of one's own that are not, before a training.

    Args:
        dataset: that the model is trained on.
        relations: that it reads.
        config: all options.
        stacklevel: of the warning, counted from the caller of this function.
    """
    for sentence in _sentences(dataset, relations, config):
        warnings.warn(sentence, KnownLaterWarning, stacklevel=stacklevel + 1)
    own = {options.name for options in config.relations.own}
    unread = own - {options.name for options in config.model.reads(config.relations).own}
    if unread:
        sentence = (
            f"model.name is '{config.model.name}', which reads none of relations.own: {', '.join(sorted(unread))}."
        )
        warnings.warn(sentence, AttrFormerWarning, stacklevel=stacklevel + 1)


_NO_EDGES = "item_relations as relations: none"


def _sentences(dataset: Dataset, relations: RelationSet, config: Config) -> list[str]:
    told = []
    # A model that reads no edge tables whatever the options say is no case for this option.
    possible = config.model.reads(replace(config.relations, edges=None)).edges is None
    read = edges_read(dataset, relations)
    unread = [name for name in dataset.item_relations if name not in read]
    if possible and unread:
        named, setting = ", ".join(f"'{name}'" for name in unread), json.dumps([*read, *unread], ensure_ascii=False)
        told.append(
            f"The edge tables {named} are not read: a table that was made after the interactions may know of the "
            f"targets. Read them with relations.edges={setting}, or null for all; the protocol line then says so."
        )
    if _reads_ids(relations) and (numbering := _numbering(dataset)).kind == FIRST_INTERACTION:
        told.append(f"relations.id_order reads the order of ids. {numbering.sentence}")
    return told


def _reads_ids(relations: RelationSet) -> bool:
    return any(relation.reads_ids for relation in relations.values())


def _numbering(dataset: Dataset) -> IdNumbering:
    return id_numbering(dataset.item_ids, dataset.sequences, dataset.user_ids)


def after_the_fact_marks(dataset: Dataset) -> str:
    """What the protocol line says of attributes that know of the interactions to be predicted.

    Args:
        dataset: the data.
    """
    columns = (*dataset.item_attributes, *dataset.user_attributes, *dataset.sequences.behaviours)
    named = [name for name in columns if after_the_fact(name)]
    return f" | attributes computed after the fact: {', '.join(named)}" if named else ""
