"""Blocks shared out among threads give what one thread gives."""

from __future__ import annotations

from threading import Barrier, get_ident

import pytest
import torch

from attrformer.nn import workers
from attrformer.nn.fused_loss import PosteriorTarget, fused_cross_entropy
from attrformer.nn.workers import each_part, each_share, thread_count, whole_operations

CPU = torch.device("cpu")


def test_every_piece_falls_into_one_share(two_threads: None) -> None:
    shares = each_share(lambda share: share, list(range(7)), CPU)
    assert shares == [[0, 2, 4, 6], [1, 3, 5]]
    assert torch.get_num_threads() == 2


def test_little_work_stays_together(two_threads: None) -> None:
    assert each_share(lambda share: share, [0, 1, 2], CPU) == [[0, 1, 2]]


def test_threads_of_the_pool_keep_to_one(two_threads: None) -> None:
    def threads_of(share: list[int]) -> int:
        both.wait()
        return torch.get_num_threads()

    both = Barrier(2, timeout=60)
    workers._pool.cache_clear()
    each_share(lambda share: both.wait(), list(range(8)), CPU)
    torch.set_num_threads(1)
    torch.set_num_threads(2)
    assert each_share(threads_of, list(range(8)), CPU) == [1, 1]


def test_operations_stay_whole_while_work_is_shared_out(two_threads: None) -> None:
    for wanted, threads in ((True, 1), (False, 2)):
        with pytest.raises(KeyError), whole_operations(wanted):
            assert torch.get_num_threads() == threads
            assert len(each_share(lambda share: share, list(range(8)), CPU)) == 2
            raise KeyError
        assert torch.get_num_threads() == 2
        assert len(each_share(lambda share: share, list(range(8)), CPU)) == 2


def test_an_error_in_a_share_comes_out(two_threads: None) -> None:
    def fail(share: list[int]) -> None:
        raise ValueError(str(share))

    with pytest.raises(ValueError, match="0"):
        each_share(fail, list(range(8)), CPU)


def test_two_threads_give_the_loss_and_gradients_of_one(two_threads: None) -> None:
    torch.manual_seed(0)
    hidden, table = torch.randn(24, 3, 8), torch.randn(50, 8)
    target = PosteriorTarget(
        items=torch.randint(0, 50, (24, 3, 1)),
        counts=torch.ones(24, 3, 1),
        strength=0.0,
        popularity=torch.full((50,), 0.02),
        mixture=(0.0, 0.0, 1.0),
        relation=None,
    )
    mask = (torch.rand(24, 3) > 0.2).float()

    def measured() -> tuple[torch.Tensor, ...]:
        inputs = [hidden.clone().requires_grad_(), table.clone().requires_grad_()]
        loss = fused_cross_entropy(inputs[0], inputs[1], [], target, mask, block_elements=300)
        loss.backward()
        return loss.detach(), *(tensor.grad for tensor in inputs if tensor.grad is not None)

    both = measured()
    assert all(torch.equal(first, again) for first, again in zip(both, measured(), strict=True))
    torch.set_num_threads(1)
    alone = measured()
    assert len(both) == len(alone) == 3
    for first, second in zip(both, alone, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)


def test_each_part_has_a_thread_in_which_nothing_is_shared_out(two_threads: None) -> None:
    def run(number: int) -> tuple[int, int, int, int]:
        both.wait()
        return number, thread_count(), len(each_share(lambda share: share, list(range(8)), CPU)), get_ident()

    both = Barrier(2, timeout=60)
    with whole_operations(True):
        assert thread_count() == 2
        found = each_part(run, [5, 7])
    assert [own[:3] for own in found] == [(5, 1, 1), (7, 1, 1)]
    assert len({own[3] for own in found}) == 2
