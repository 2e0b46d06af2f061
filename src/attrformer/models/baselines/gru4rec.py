"""GRU4Rec: a gated recurrent network over the history.

B. Hidasi, A. Karatzoglou, L. Baltrunas and D. Tikk, "Session-based recommendations with recurrent neural networks",
ICLR 2016; B. Hidasi and A. Karatzoglou, "Recurrent neural networks with top-k gains for session-based
recommendations", CIKM 2018.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attrformer.errors import require
from attrformer.models.baselines.sasrec import padded_embedding
from attrformer.models.config import EncoderConfig
from attrformer.models.network import Network
from attrformer.nn.batch import Batch, Example
from attrformer.nn.dropout import Dropout
from attrformer.nn.losses import Objective, Outputs
from attrformer.relations.relation_set import RelationSet

NOTHING = -1e9
"""Score of a negative that does not count."""


@dataclass(frozen=True)
class GRU4RecConfig(EncoderConfig):
    """Options of GRU4Rec; of those that encoders share it has no use for heads and expansion."""

    name: Literal["gru4rec"] = "gru4rec"
    layers: int = field(default=1, metadata={"help": "recurrent layers"})
    state: int = field(default=128, metadata={"help": "width of the recurrent state"})
    loss: Literal["full", "bpr-max", "top1-max"] = field(
        default="full", metadata={"help": "full: cross-entropy over all items; the others: against drawn negatives"}
    )
    negatives: int = field(default=2048, metadata={"help": "negatives drawn for each batch, shared by its targets"})
    alpha: float = field(
        default=0.75, metadata={"help": "negatives are drawn by popularity to this power; 0: uniformly"}
    )
    score_penalty: float = field(default=1.0, metadata={"help": "bpr-max: weight of the squared scores of negatives"})

    @property
    def allows_filled_batches(self) -> bool:
        """The losses of drawn negatives take the places that count out of a batch."""
        return self.loss == "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.state >= 1, "state", self.state, "1 or more")
        require(self.negatives >= 1, "negatives", self.negatives, "1 or more")
        require(self.alpha >= 0, "alpha", self.alpha, "0 or more")
        require(self.score_penalty >= 0, "score_penalty", self.score_penalty, "0 or more")


class GRU4RecNetwork(Network):
    """Item embeddings, gated recurrent units, a projection, product with the same item embeddings.

    The hidden state follows h_t = (1 - z_t) h_(t-1) + z_t h'_t with update gate z_t, reset gate r_t and candidate
    h'_t = tanh(W x_t + U (r_t h_(t-1))) (ICLR 2016, section 3). Tied input and output embeddings are those of CIKM
    2018.

    Args:
        relations: of the dataset; catalogue size and popularity are read.
        config: options.
        dropout: resolved dropout rate.
    """

    frequency: Tensor

    def __init__(self, relations: RelationSet, config: GRU4RecConfig, dropout: float) -> None:
        super().__init__()
        self.config, self.items = config, relations.n_items
        self.item = nn.Parameter(torch.randn(relations.n_items, config.width) * 0.02)
        between = dropout if config.layers > 1 else 0.0
        self.recurrent = nn.GRU(config.width, config.state, config.layers, batch_first=True, dropout=between)
        self.project = nn.Linear(config.state, config.width)
        self.drop = Dropout(dropout)
        frequency = torch.from_numpy(relations.popularity).double() ** config.alpha
        self.register_buffer("frequency", frequency.cumsum(0), persistent=False)

    def forward(self, batch: Batch) -> Outputs:
        """Hidden state at the places, and the item embeddings."""
        states, _ = self.recurrent(self.drop(padded_embedding(batch.items, self.item)))
        return Outputs(self.project(self.drop(batch.at_target_positions(states))), self.item)

    def loss(self, example: Example, objective: Objective) -> Tensor:
        """Cross-entropy over the whole catalogue, or a ranking-max loss against negatives that the batch shares."""
        if self.config.loss == "full":
            return super().loss(example, objective)
        outputs, there = self(example.batch), example.mask > 0
        items = example.items[:, :, 0][there]
        negatives = self.draw(self.config.negatives)
        hidden = outputs.hidden[there]
        right = (hidden * F.embedding(items, outputs.table)).sum(1)
        wrong = hidden @ F.embedding(negatives, outputs.table).t()
        same = items.unsqueeze(1) == negatives
        if self.config.loss == "top1-max":
            return top1_max(right, wrong, same)
        return bpr_max(right, wrong, same, self.config.score_penalty)

    def draw(self, count: int) -> Tensor:
        """Items drawn with replacement by popularity to the power `alpha`, int64 `[count]`."""
        drawn = torch.rand(count, dtype=torch.float64, device=self.frequency.device) * self.frequency[-1]
        return torch.searchsorted(self.frequency, drawn, right=True).clamp_max(self.items - 1)


def top1_max(right: Tensor, wrong: Tensor, same: Tensor) -> Tensor:
    """Mean of sum_j s_j (sigma(r_j - r_i) + sigma(r_j^2)), s the softmax of the negatives' scores (CIKM 2018).

    Args:
        right: `[n]`, score r_i of the item to be predicted.
        wrong: `[n, negatives]`, scores r_j.
        same: bool `[n, negatives]`, negatives that are the item to be predicted, and do not count.
    """
    share = _log_shares(wrong, same).exp()
    return (share * (torch.sigmoid(wrong - right.unsqueeze(1)) + torch.sigmoid(wrong**2))).sum(1).mean()


def bpr_max(right: Tensor, wrong: Tensor, same: Tensor, penalty: float) -> Tensor:
    """Mean of -log sum_j s_j sigma(r_i - r_j) + penalty sum_j s_j r_j^2, s as in `top1_max` (CIKM 2018).

    Args:
        right: `[n]`, score r_i of the item to be predicted.
        wrong: `[n, negatives]`, scores r_j.
        same: bool `[n, negatives]`, negatives that are the item to be predicted, and do not count.
        penalty: weight of the squared scores.
    """
    share = _log_shares(wrong, same)
    above = torch.logsumexp(share + F.logsigmoid(right.unsqueeze(1) - wrong), 1)
    return (penalty * (share.exp() * wrong**2).sum(1) - above).mean()


def _log_shares(wrong: Tensor, same: Tensor) -> Tensor:
    return torch.log_softmax(wrong.masked_fill(same, NOTHING), 1)
