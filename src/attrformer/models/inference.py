"""Networks made ready to answer: what does not depend on the request is computed once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.models.attrformer import AttrFormerNetwork
from attrformer.models.network import Network
from attrformer.nn.stacked import StackedParameters


class KnownTable(nn.Module):
    """Item representations that are computed already, in place of the module that computes them.

    Args:
        table: `[items, d]`.
    """

    values: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("values", table, persistent=False)

    def forward(self) -> Tensor:
        """The representation of every item, `[items, d]`."""
        return self.values


class InferenceNetwork(AttrFormerNetwork):
    """AttrFormer with its item table and what else depends on parameters alone computed once.

    It shares all weights and relations with the network it is made of. A request then touches the rows of its own items
    only, so that its time does not grow with the catalogue before it is scored.

    Args:
        network: a network for inference, which stays as it is.
    """

    def __init__(self, network: AttrFormerNetwork) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(network.__dict__)
        with torch.no_grad():
            known = KnownTable(network.table().detach())
            self._stacked = network.stacked()
        self._modules = {**network._modules, "table": known}

    def stacked(self) -> StackedParameters:
        """See `AttrFormerNetwork.stacked`; they were stacked once."""
        return self._stacked

    def embed(self, items: Tensor, table: Tensor) -> Tensor:
        """See `AttrFormerNetwork.embed`; the table is looked up and not copied."""
        return look_up(items, table)


def prepared(network: Network) -> Network:
    """The same network, ready to answer; other networks than AttrFormer stay as they are.

    Args:
        network: for inference.
    """
    return InferenceNetwork(network) if type(network) is AttrFormerNetwork else network


def look_up(items: Tensor, table: Tensor) -> Tensor:
    """Rows of the table for item codes `[b, l]`, zeros for padding (code `len(table)`), `[b, l, d]`."""
    rows = F.embedding(items.clamp_max(table.shape[0] - 1), table)
    return rows.masked_fill((items == table.shape[0]).unsqueeze(2), 0.0)
