"""A score taken apart: the content part and one part for each relation, and what in the history each part points at."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.network import Network
from attrformer.nn.batch import Batch
from attrformer.nn.evidence import FeatureEvidence, IdentityEvidence, RelationEvidence, RowEvidence
from attrformer.nn.moment import MomentEvidence
from attrformer.nn.objective import Outputs
from attrformer.nn.objectives import score_catalogue

CONTENT = "content"


@torch.no_grad()
def part_scores(outputs: Outputs, precision: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """What each part adds to the scores of the catalogue, one part in memory at a time; their sum is the score.

    Args:
        outputs: of the network, for one place in each history.
        precision: type of the large products, as in scoring.

    Yields:
        Name of the part and float32 `[b, items]`.
    """
    hidden = outputs.hidden.squeeze(1)
    # By the same products as the score, which it is when there is nothing else.
    yield CONTENT, score_catalogue(outputs.hidden, outputs.table, [], precision=precision).squeeze(1)
    for name, (part, inputs) in zip(outputs.names, outputs.parts, strict=True):
        scores = hidden.new_zeros(len(hidden), 1, len(outputs.table), dtype=torch.float32)
        everyone = slice(0, len(hidden))
        part.block(everyone, inputs.block(everyone)).add_to(scores)
        yield name, scores.squeeze(1)


@torch.no_grad()
def loudest_positions(network: Network, batch: Batch, items: Tensor) -> dict[str, Tensor]:
    """The position of the history that speaks loudest for an item, in each relation that reads the history.

    Args:
        network: the network.
        batch: histories, one place each.
        items: int64 `[b, n]`, item codes.

    Returns:
        int64 `[b, n]` positions by relation, -1 where no position says anything.
    """
    if not isinstance(network, AttrFormerNetwork):
        return {}
    gaps = network.gaps(batch, batch.places)
    found = {}
    for name, module in network.relations.items():
        assert isinstance(module, RelationEvidence)
        values = _relation_values(module, batch, items)
        if values is not None:
            voice, position = (values * module.weights(batch, gaps).transpose(1, 2)).max(dim=1)
            found[name] = torch.where(voice > 0, position, -1)
    return found


@torch.no_grad()
def loudest_values(module: FeatureEvidence, sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The pair of attribute values that carries most of R_a(i, j) = max(0, phi_a(i)^T M_a) phi_a(j).

    Args:
        module: the relation of an item attribute.
        sources: int64 `[n]`, items i of histories.
        targets: int64 `[n]`, items j.

    Returns:
        The value of i and the value of j, two int64 `[n]`; without meaning where R_a(i, j) is 0.
    """
    of_source, of_target = module.codes[sources], module.codes[targets]
    learned = (of_source.unsqueeze(2) == of_target.unsqueeze(1)) * module.log_diagonal.exp()[of_source].unsqueeze(2)
    if module.left is not None and module.right is not None:
        learned = learned + module.left[of_source] @ module.right[of_target].transpose(1, 2)
    said = module.slot_weights[sources].unsqueeze(2) * learned
    # The negative part is cut off after all values of i have spoken, so the value of j is chosen first.
    target = (said.sum(1).clamp_min(0.0) * module.slot_weights[targets]).argmax(1, keepdim=True)
    source = said.gather(2, target.unsqueeze(1).expand(-1, said.shape[1], -1)).squeeze(2).argmax(1, keepdim=True)
    return of_source.gather(1, source).squeeze(1), of_target.gather(1, target).squeeze(1)


def _relation_values(module: RelationEvidence, batch: Batch, items: Tensor) -> Tensor | None:
    """R_a(i_s, j) for positions s and items j, `[b, l, n]`; None where the history plays no part."""
    if isinstance(module, RowEvidence | MomentEvidence):
        return module.table.pairs(module.read(batch), items)
    if isinstance(module, FeatureEvidence):
        return torch.bmm(module.project(batch.items), module.phi(items).transpose(1, 2))
    if isinstance(module, IdentityEvidence):
        return (batch.items.unsqueeze(2) == items.unsqueeze(1)).float()
    return None
