from __future__ import annotations

import gc
import math
import weakref
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from attrformer.compiled import rounding
from attrformer.nn.attention import RelationAugmentedAttention
from attrformer.nn.column_loss import LEAST_LOGITS
from attrformer.nn.recency import LookBack
from attrformer.nn.relation_mix import HeadValues, mixed, takes

pytest.importorskip("numba", reason="needs the extra `fast`")

WIDTH, HEADS, NAMES = 8, 2, ["near", "brand", "gap"]
GIVEN = 1
"""The head whose values nothing is learned of."""


@dataclass
class Case:
    """Two layers that read the same values, and histories of some lengths with places."""

    layers: list[RelationAugmentedAttention]
    hidden: Tensor
    values: list[Tensor]
    lengths: Tensor
    places: Tensor

    @classmethod
    def drawn(cls, batch: int, length: int, targets: int, seed: int) -> Case:
        torch.manual_seed(seed)
        layers = [RelationAugmentedAttention(WIDTH, HEADS, NAMES, length) for _ in range(2)]
        for layer in layers:
            for name in NAMES:
                torch.nn.init.normal_(layer.temperature[name])
                torch.nn.init.normal_(layer.position_bias[name])
        values = [(3 * torch.rand(batch, length, length)).requires_grad_(k != GIVEN) for k in range(len(NAMES))]
        lengths = torch.randint(1, length + 1, (batch,))
        places = (torch.rand(batch, targets) * lengths.unsqueeze(1)).long().sort(1).values
        return cls(layers, torch.randn(batch, length, WIDTH, requires_grad=True), values, lengths, places)

    def gradients(self, compiled: bool) -> tuple[list[Tensor], list[Tensor | None]]:
        """What the layers give at real positions, the second at the places, and all gradients."""
        length, look_back = self.hidden.shape[1], LookBack(self.hidden.shape[1])
        real = (torch.arange(length) < self.lengths.unsqueeze(1)).unsqueeze(2)
        asked = [self.layers[0].stacked(), self.layers[1].stacked()]
        assert asked[0] is not None and asked[1] is not None
        if compiled:
            held = HeadValues(self.values, self.lengths, look_back.bins[:length].flip(0))
            outputs = [self.layers[0](self.hidden, held), self.layers[1](self.hidden, held, self.places)]
        else:
            stacked, rows = torch.stack(self.values, 1), torch.arange(len(self.hidden)).unsqueeze(1)
            first = asked[0].logits(stacked, look_back(None, length))
            at_places = stacked.transpose(1, 2)[rows, self.places].transpose(1, 2)
            second = asked[1].logits(at_places, look_back(self.places, length))
            outputs = [self.layers[0](self.hidden, first), self.layers[1](self.hidden, second, self.places)]
        outputs[0] = outputs[0] * real
        leaves = [self.hidden, *self.values, *(p for layer in self.layers for p in layer.parameters())]
        for leaf in leaves:
            leaf.grad = None
        sum((output.square() * torch.arange(output.shape[1]).view(-1, 1)).sum() for output in outputs).backward()
        return [output.detach() for output in outputs], [leaf.grad for leaf in leaves]


def same(found: list[Tensor | None], wanted: list[Tensor | None]) -> None:
    # Some gradients are sums of large terms that cancel out.
    largest = max(float(other.abs().max()) for other in wanted if other is not None)
    for own, other in zip(found, wanted, strict=True):
        assert (own is None) == (other is None)
        if own is not None and other is not None:
            torch.testing.assert_close(own, other, rtol=2e-4, atol=2e-6 * max(1.0, largest))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(1, 70),
    st.integers(1, 9),
    st.integers(0, 1000),
)
def test_values_and_gradients_are_those_of_the_plain_heads(batch: int, length: int, targets: int, seed: int) -> None:
    case = Case.drawn(batch, length, targets, seed)
    outputs, gradients = case.gradients(compiled=True)
    wanted, of_plain = case.gradients(compiled=False)
    same(list(outputs), list(wanted))
    same(gradients, of_plain)


def test_a_step_that_is_over_keeps_no_memory_until_garbage_is_collected() -> None:
    leaves = [torch.rand(1, 4, 4, requires_grad=True)]
    gc.disable()
    try:
        held = HeadValues([leaf * 2 for leaf in leaves], torch.tensor([4]), torch.zeros(4, dtype=torch.long))
        kept = [weakref.ref(tensor) for tensor in (*held.values, *held.gradients) if tensor is not None]
        found = mixed(held, torch.ones(1), torch.zeros(1, 1), torch.rand(1, 4, 1, 3), torch.arange(4).unsqueeze(0))
        found.sum().backward()  # type: ignore[no-untyped-call]
        del held, found
        assert len(kept) == 2 and not any(reference() is not None for reference in kept)
    finally:
        gc.enable()


def test_places_of_padding_read_nothing_and_give_no_gradient() -> None:
    values = [torch.rand(1, 4, 4, requires_grad=True)]
    held = HeadValues(values, torch.tensor([2]), torch.zeros(4, dtype=torch.long))
    spoken = torch.rand(1, 4, 1, 3, requires_grad=True)
    found = mixed(held, torch.ones(1), torch.zeros(1, 1), spoken, torch.arange(4).unsqueeze(0))
    assert found[0, :2].all() and not found[0, 2:].any()
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert values[0].grad is not None and spoken.grad is not None
    assert values[0].grad[0, 1, :2].any() and not values[0].grad[0, 2:].any() and not values[0].grad.triu(1).any()
    torch.testing.assert_close(spoken.grad.sum(1), torch.full((1, 1, 3), 2.0))


def test_large_logits_do_not_overflow() -> None:
    values = torch.tensor([[[0.0, 0.0], [300.0, -300.0]]])
    held = HeadValues([values], torch.tensor([2]), torch.zeros(2, dtype=torch.long))
    spoken = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1)
    found = mixed(held, torch.ones(1), torch.zeros(1, 1), spoken, torch.tensor([[0, 1]]))
    assert found.flatten().tolist() == [1.0, 1.0]


def test_a_graph_that_is_retained_gives_the_same_gradients_again() -> None:
    case = Case.drawn(2, 6, 3, 0)
    held = HeadValues(case.values, case.lengths, LookBack(6).bins[:6].flip(0))
    loss = (case.layers[0](case.hidden, held) + case.layers[1](case.hidden, held)).square().sum()
    learned = [case.hidden, *(value for value in case.values if value.requires_grad)]
    first = torch.autograd.grad(loss, learned, retain_graph=True)
    kept = [gradient.clone() for gradient in first]
    again = torch.autograd.grad(loss, learned)
    for found in (first, again):
        assert all(torch.equal(own, other) for own, other in zip(found, kept, strict=True))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("what", ["hidden", "value", "temperature", "bias", "key"])
def test_what_is_not_a_number_is_not_lost(what: str, sign: float) -> None:
    case = Case.drawn(2, 6, 3, 0)
    case.lengths[:] = 6
    layer, nothing = case.layers[0], math.copysign(math.nan, sign)
    with torch.no_grad():
        if what == "hidden":
            case.hidden[0, 1, 0] = nothing
        elif what == "value":
            case.values[1][0, 3, 2] = nothing
        elif what == "temperature":
            layer.temperature["brand"].fill_(nothing)
        elif what == "bias":
            layer.position_bias["brand"][2] = nothing
        else:
            layer.query_key.weight[WIDTH:] = nothing
    held = HeadValues(case.values, case.lengths, LookBack(6).bins[:6].flip(0))
    found = layer(case.hidden, held)
    assert found[0, 3:].isnan().any()
    found.sum().backward()
    assert layer.value.weight.grad is not None and layer.value.weight.grad.isnan().any()


@pytest.mark.usefixtures("two_threads")
def test_two_threads_give_the_same_bits() -> None:
    case = Case.drawn(6, 20, 5, 0)

    def heads() -> list[Tensor]:
        held = HeadValues(case.values, case.lengths, LookBack(20).bins[:20].flip(0))
        temperature = torch.linspace(0.5, 2, 3, requires_grad=True)
        bias = torch.linspace(-1, 1, 3 * 20).view(3, 20).requires_grad_()
        spoken = torch.linspace(-1, 1, 6 * 20 * 3 * 4).view(6, 20, 3, 4).requires_grad_()
        found = mixed(held, temperature, bias, spoken, case.places)
        inputs = [temperature, bias, spoken, *(value for value in case.values if value.requires_grad)]
        return [found.detach(), *torch.autograd.grad(found.square().sum(), inputs)]

    two = heads()
    torch.set_num_threads(1)
    assert all(torch.equal(own, other) for own, other in zip(two, heads(), strict=True))


def test_they_are_taken_for_large_batches_on_a_cpu_in_steps_that_may_round() -> None:
    cpu = torch.device("cpu")
    assert not takes(LEAST_LOGITS, cpu)
    with rounding(True):
        assert takes(LEAST_LOGITS, cpu)
        assert not takes(LEAST_LOGITS - 1, cpu)
        assert not takes(LEAST_LOGITS, torch.device("meta"))
