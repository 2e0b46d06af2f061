from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from attrformer.nn.linear import applied, linear, product


@pytest.mark.parametrize("shape", [(3, 5, 4), (1, 5, 4), (3, 1, 4)])
@pytest.mark.parametrize("biased", [True, False])
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, int, int], biased: bool) -> None:
    values, weight = torch.randn(shape, requires_grad=True), torch.randn(6, 4, requires_grad=True)
    bias = torch.randn(6, requires_grad=True) if biased else None
    own, plain = linear(values, weight, bias), F.linear(values, weight, bias)
    torch.testing.assert_close(own, plain)
    learned = [tensor for tensor in (values, weight, bias) if tensor is not None]
    for found, wanted in zip(
        torch.autograd.grad(own.square().sum(), learned),
        torch.autograd.grad(plain.square().sum(), learned),
        strict=True,
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_layer_is_applied() -> None:
    layer, values = torch.nn.Linear(4, 6), torch.randn(3, 5, 4)
    torch.testing.assert_close(applied(layer, values), layer(values))


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("shape", [(3, 5, 4), (1, 5, 4), (7, 4)])
def test_values_without_a_gradient_are_those_of_torch_with_its_own_operation_and_without(
    shape: tuple[int, ...], there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, weight, bias = torch.randn(shape), torch.randn(4, 6).t(), torch.randn(6)
    if not there:
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(product(values, weight, bias), F.linear(values, weight, bias))
    torch.testing.assert_close(product(values, weight, None), F.linear(values, weight))
    if values.dim() == 3:
        with torch.no_grad():
            torch.testing.assert_close(linear(values, weight, bias), F.linear(values, weight, bias))


def test_large_weights_are_not_copied_for_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> None:
            raise AssertionError(name)

    monkeypatch.setattr(torch.ops, "mkldnn", Refusing())
    values, weight = torch.randn(7, 4), torch.randn(6, 4)
    monkeypatch.setattr("attrformer.nn.linear.LARGE", 24 - 1)
    assert torch.equal(product(values, weight, None), F.linear(values, weight))
    monkeypatch.setattr("attrformer.nn.linear.LARGE", 24)
    with pytest.raises(AssertionError, match="_linear_pointwise"):
        product(values, weight, None)
