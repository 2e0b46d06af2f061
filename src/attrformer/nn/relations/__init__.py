"""What is learned of each relation: one file a kind, with the names of `attrformer.relations`."""

from attrformer.nn.relations.base import ContributingModule, Gate, ModuleOptions, RelationModule

__all__ = ["ContributingModule", "Gate", "ModuleOptions", "RelationModule"]
