"""A score taken apart: the content part and one part for each relation, and what in the history each part points at."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.network import Network
from attrformer.nn.batch import Batch
from attrformer.nn.fused_loss import score_catalogue
from attrformer.nn.losses import Outputs

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
def strongest_positions(network: Network, batch: Batch, items: Tensor) -> dict[str, Tensor]:
    """The position of the history that counts most for an item, in each relation that reads the history.

    Args:
        network: the network.
        batch: histories, one place each.
        items: int64 `[b, n]`, item codes.

    Returns:
        int64 `[b, n]` positions by relation, -1 where no position says anything.
    """
    if not isinstance(network, AttrFormerNetwork):
        return {}
    gaps = network.gaps(batch, batch.target_positions)
    found = {}
    for name, module in network.contributing().items():
        values = module.values_between(batch, items)
        if values is not None:
            most, position = (values * module.weights(batch, gaps).transpose(1, 2)).max(dim=1)
            found[name] = torch.where(most > 0, position, -1)
    return found
