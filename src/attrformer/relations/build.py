"""All explicit relations of a dataset, made from its tables and its training interactions only."""

from __future__ import annotations

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.errors import ConfigurationError
from attrformer.relations.base import Relation, Sources
from attrformer.relations.config import RelationOptions, RelationsConfig
from attrformer.relations.folds import assign_folds, fold_count
from attrformer.relations.id_order import checked_numbering
from attrformer.relations.registry import BUILT_IN, registered
from attrformer.relations.relation_set import RelationSet
from attrformer.relations.scratch import within_memory


def build_relations(dataset: Dataset, train: Sequences, config: RelationsConfig, seed: int) -> RelationSet:
    """Builds every relation that the configuration asks for.

    Args:
        dataset: attributes and edge tables; its own sequences are not read, but to find out whether they numbered
            the items, where the order of ids is asked for.
        train: the training interactions, all that counted relations may see.
        config: which relations, and how they are counted.
        seed: of the fold assignment.

    Raises:
        ConfigurationError: where the configuration names an attribute or edge table that the dataset lacks, or asks
            for the order of ids that number items by first appearance.
    """
    return relations_from(sources_of(dataset, train, config, seed), config)


def relations_from(sources: Sources, config: RelationsConfig) -> RelationSet:
    """Every relation that the configuration asks for.

    Args:
        sources: what they are made of.
        config: which relations, and how they are counted.

    Raises:
        ConfigurationError: as for `build_relations`.
    """
    built: dict[str, Relation] = {}
    with within_memory(config.memory):
        for kind in BUILT_IN:
            built |= {relation.name: relation for relation in kind.build(sources, config, built)}
    for options in config.own:
        for relation in build_own(options, sources, built):
            if relation.name in built:
                raise ConfigurationError(f"relations.own makes '{relation.name}' twice. Name each relation once.")
            built[relation.name] = relation
    return RelationSet(
        n_items=sources.n_items,
        folds=fold_count(sources.folds),
        fold_of_user=sources.folds,
        popularity=sources.train.popularity(sources.n_items),
        relations=tuple(built.values()),
    )


def sources_of(dataset: Dataset, train: Sequences, config: RelationsConfig, seed: int) -> Sources:
    """What relations are made of; arguments as for `build_relations`."""
    return Sources(
        item_ids=dataset.item_ids,
        titles=dataset.item_titles,
        item_attributes=dataset.item_attributes,
        user_attributes=dataset.user_attributes,
        edges=dataset.item_relations,
        train=train,
        folds=assign_folds(len(train), config.folds, seed),
        top_k=config.kept_entries(dataset.item_count),
        check_numbering=lambda: checked_numbering(dataset),
        item_changes=dataset.item_changes,
    )


def build_own(options: RelationOptions, sources: Sources, built: dict[str, Relation]) -> list[Relation]:
    """The relations of a kind from outside.

    Args:
        options: of the kind.
        sources: what it is made of.
        built: relations of the library, by name.

    Raises:
        ConfigurationError: it is not registered, gives something else than relations, gives one a name that is not its
            own, or one of another size than the catalogue.
    """
    known = registered(options.name)
    if known is None:
        raise ConfigurationError(f"No relation is registered as '{options.name}'. Import the file that registers it.")
    found = known.relation.build(sources, options, built)
    if not isinstance(found, list) or not all(isinstance(relation, Relation) for relation in found):
        raise ConfigurationError(f"The relation '{options.name}' builds {found!r}. Give a list of relations.")
    for relation in found:
        _check_values(relation, sources)
        if relation.name != options.name and not relation.name.startswith(f"{options.name}_"):
            raise ConfigurationError(
                f"The relation '{options.name}' builds one that is called '{relation.name}'. Call it "
                f"'{options.name}', or begin its name with '{options.name}_', so that no other has its name."
            )
    return found


def _check_values(relation: Relation, sources: Sources) -> None:
    try:
        relation.for_inference().check(sources.n_items, len(sources.train))
    except ValueError as error:
        raise ConfigurationError(f"The relation '{relation.name}' cannot be used: {error}.") from error
