"""The training loop: AdamW, warm-up, early stopping on validation, checkpoints, clean stop on SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from types import FrameType

import torch
from torch import Tensor

from attrformer.compiled import rounding
from attrformer.models.network import Network
from attrformer.nn.batch import Example
from attrformer.nn.losses import Objective
from attrformer.nn.workers import whole_operations
from attrformer.processes import REQUESTS, Terminated, handling, would_end
from attrformer.ranks import ALONE, Ranks
from attrformer.training.adamw import AdamW
from attrformer.training.batches import Examples
from attrformer.training.candidate_sampler import CandidateSampler
from attrformer.training.checkpoint import CheckpointFolder, Progress
from attrformer.training.config import TargetConfig, TrainingConfig
from attrformer.training.cuda_graphs import StepGraphs
from attrformer.training.device import choose_block, compiles, keep_freed_memory
from attrformer.training.joint_step import JointStep, Wishes
from attrformer.training.lazy_rows import LazyRows, clip_with_rows
from attrformer.training.parts import differentiate, part_count, takes_whole_operations
from attrformer.training.selection import Figures, Selection
from attrformer.training.sharded_weights import ShardedWeights
from attrformer.training.watcher import Watcher
from attrformer.training.weights import Weights, average_decay, groups_of, learning_rate

Validate = Callable[[], Figures]
FUSED = ("cpu", "cuda")
"""Devices for which every supported release of torch has AdamW as one operation."""


class Stopped(Terminated):
    """Training was interrupted after its state had been saved."""


class Trainer:
    """Trains one network.

    Args:
        network: to be trained, on its device.
        examples: training batches.
        validate: gives validation figures of the network as it is, by seen variant.
        popularity: float32 `[items]`, training interactions of each item.
        training: options of the loop.
        target: options of the posterior target.
        precision: type of the large products.
        checkpoint: where to save the state, or None.
        watcher: looks on.
        higher_is_better: whether more of `training.metric` is better.
        sampler: draws the candidates of each step; None: the loss is over the whole catalogue.
        ranks: that train the network together, each with its part of every batch.
        seed: of what is drawn while several ranks train; one process goes on with the generator as it is.
    """

    def __init__(
        self,
        network: Network,
        examples: Examples,
        validate: Validate,
        popularity: Tensor,
        training: TrainingConfig,
        target: TargetConfig,
        precision: torch.dtype,
        checkpoint: CheckpointFolder | None,
        watcher: Watcher,
        higher_is_better: bool = True,
        sampler: CandidateSampler | None = None,
        ranks: Ranks = ALONE,
        seed: int = 0,
    ) -> None:
        self.network, self.examples, self.validate = network, examples, validate
        self.training, self.checkpoint, self.watcher = training, checkpoint, watcher
        self.selection = Selection(training, higher_is_better)
        elements = choose_block(training.block_elements, popularity.device)
        shares, compiled = popularity / popularity.sum(), compiles(training.compiled)
        self.objective = Objective(shares, target.strength, target.mixture, elements, precision, compiled)
        self.sampler = sampler
        names = network.ITEM_PARAMETERS if sampler is not None else ()
        sharded = None if ranks is ALONE else ShardedWeights(network, len(popularity), ranks, names)
        self.weights: Weights = sharded or Weights(network)
        self.rows = LazyRows({name: network.get_parameter(name) for name in names}, training.weight_decay, compiled)
        groups = groups_of(self.weights, network.is_relation_parameter, training, self.rows.names())
        # One pass over the parameters in place of ten.
        fused = popularity.device.type in FUSED
        recorded = sampler is None and examples.filled and popularity.device.type == "cuda"
        self.optimizer = AdamW(groups, lr=training.learning_rate, fused=fused, capturable=recorded)
        self._learn: Callable[[Example], Tensor] = StepGraphs(self._learn_once) if recorded else self._learn_once
        if recorded:
            # What a recorded step reads must lie on the device.
            for group in self.optimizer.param_groups:
                group["lr"] = torch.zeros((), device=popularity.device)
        self._joint: JointStep | None = None
        if sharded is not None:
            self._train_jointly(sharded, seed)
        self._set_rate, self.progress = -1.0, Progress()
        self.averaged, self.best = dict[str, Tensor](), dict[str, Tensor]()
        self._learns, self._parameters = any(group["params"] for group in groups), list(network.parameters())
        self._stop: int | None = None
        self._saved = time.monotonic()
        self._steps_per_epoch = len(examples.batches(0))
        self.average = average_decay(training.average, self._steps_per_epoch)

    def _train_jointly(self, weights: ShardedWeights, seed: int) -> None:
        joint = JointStep(weights, self.loss, self._update, self._refresh, self.training.clip, seed, self._wishes)
        self._joint, self._learn = joint, lambda example: joint(example, self.progress.step)
        if self.checkpoint is not None:
            from attrformer.training.sharded_checkpoint import SharedCheckpointFolder

            self.checkpoint = SharedCheckpointFolder(self.checkpoint.folder, weights, self.optimizer)

    def fit(self, resume: bool = False) -> None:
        """Trains until the epochs or the patience run out; the network ends with its best weights.

        Args:
            resume: go on from the checkpoint where there is one.

        Raises:
            Stopped: after SIGINT, SIGTERM or SIGHUP, once the state has been saved.
            CheckpointError: where the checkpoint cannot be used.
        """
        keep_freed_memory()
        if resume and self.checkpoint is not None and self.checkpoint.exists():
            self.progress, self.averaged, self.best = self.checkpoint.load(self.network, self.optimizer, self.rows)
            # More epochs or patience than before reopen a run that had come to its end.
            self.progress.finished = self._finished()
        with self._interruptible():
            while not self.progress.finished:
                if self._learns:
                    self._epoch()
                else:
                    self._finish_epoch()
        if self.best:
            self.weights.set(self.best)
        self.weights.complete()

    def release(self) -> None:
        """Forgets what only further steps would need: copies and moments several times as large as the network."""
        self.optimizer.state.clear()
        self.rows, self.averaged, self.best = LazyRows({}, 0.0), {}, {}

    def _epoch(self) -> None:
        progress = self.progress
        self.network.train()
        for number, count, example in self.examples.epoch(progress.epoch, progress.batch):
            start = time.perf_counter()
            loss = self.step(example)
            progress.batch = number + 1
            progress.loss_sum += loss
            progress.seconds += time.perf_counter() - start
            targets = int(example.mask.sum()) if self._joint is None else self._joint.targets
            self.watcher.batch(progress, count, loss, targets)
            if self.selection.is_due(progress.batch, count):
                self._evaluate_within(count)
                if progress.finished:
                    return
            wishes = self._wishes() if self._joint is None else self._joint.agreed
            if wishes.stop is not None or wishes.save:
                self._save()
            if wishes.stop is not None:
                raise Stopped(wishes.stop)
        self._finish_epoch()

    def _wishes(self) -> Wishes:
        due = time.monotonic() - self._saved > 60 * self.training.checkpoint_minutes
        return Wishes(self._stop, due)

    def _evaluate_within(self, batches: int) -> None:
        self._tell(self.progress.batch / batches, evaluated=True)
        self.progress.finished = self._finished()
        self._save()
        self.network.train()

    def _finish_epoch(self) -> None:
        progress = self.progress
        self._tell(1.0, evaluated=self.selection.is_due_after(progress.epoch + 1) or not self._learns)
        progress.epoch, progress.batch, progress.told = progress.epoch + 1, 0, 0
        progress.finished = self._finished()
        self._save()

    def _tell(self, share: float, *, evaluated: bool) -> None:
        """Makes the line of what was done since the one before, `share` of the epoch being done."""
        progress = self.progress
        self._refresh(None)
        batches = progress.batch - progress.told
        targets = self.examples.target_count * share * batches / max(progress.batch, 1)
        line: dict[str, object] = {
            "epoch": progress.epoch,
            "step": progress.step,
            "loss": progress.loss_sum / max(batches, 1),
            "seconds": round(progress.seconds, 3),
            "targets_per_second": round(targets / max(progress.seconds, 1e-9), 1),
            "learning_rate": self._rate(progress.step),
        }
        if self.training.evaluations_per_epoch > 1:
            line["passes"] = round(progress.epoch + share, 6)
        if evaluated:
            with rounding(self.objective.compiled):
                figures = line["validation"] = self._validated()
            if self.selection.is_best(progress, figures):
                self.best = {n: v.clone() for n, v in (self.averaged or self.weights.own()).items()}
        self.watcher.epoch(line)
        progress.loss_sum, progress.seconds, progress.told = 0.0, 0.0, progress.batch

    def _finished(self) -> bool:
        return self.selection.has_ended(self.progress) or (self.progress.epoch > 0 and not self._learns)

    def _validated(self) -> Figures:
        if not self.averaged:
            return self.validate()
        own = {name: value.clone() for name, value in self.weights.own().items()}
        self.weights.set(self.averaged)
        try:
            return self.validate()
        finally:
            self.weights.set(own)

    def step(self, example: Example) -> float:
        """Makes one step; gives the loss that it began from."""
        self._tell_rate(self._rate(self.progress.step))
        if self._joint is not None:
            self._joint.seed(self.progress.step)
        if self.sampler is not None:
            example = replace(example, candidates=self.sampler(self.network, example))
        with whole_operations(takes_whole_operations(self.network, example, self.objective)):
            loss = self._learn(example)
            self._average()
        self.progress.step += 1
        return loss.item()

    def _tell_rate(self, rate: float) -> None:
        if rate == self._set_rate:
            return
        self._set_rate = rate
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * group["factor"])
            else:
                group["lr"] = rate * group["factor"]

    def _learn_once(self, example: Example) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        candidates = example.candidates
        if candidates is not None:
            self._refresh(candidates.read)
        loss = differentiate(self.loss, example, self.network, part_count(self.network, example, self.objective))
        clip = torch.nn.utils.clip_grad_norm_ if candidates is None else clip_with_rows
        clip(self._parameters, self.training.clip)
        self._update()
        return loss

    def _refresh(self, rows: Tensor | None) -> None:
        self.rows.refresh(rows, self.averaged)

    def _update(self) -> None:
        self.optimizer.step()
        self.rows.step(self._set_rate)

    def loss(self, example: Example) -> Tensor:
        """The loss of one batch, as the network defines it."""
        with rounding(self.objective.compiled):
            return self.network.loss(example, self.objective)

    def _rate(self, step: int) -> float:
        return learning_rate(self.training, step, self._steps_per_epoch)

    def _average(self) -> None:
        decay = self.average
        current = self.weights.own()
        if decay <= 0 or not self.averaged:
            self.averaged = {name: value.clone() for name, value in current.items()} if decay > 0 else {}
            self.rows.average({}, 1.0)
            return
        # Early on the average follows closely, so that it does not remember the random start.
        decay = min(decay, self.progress.step / (self.progress.step + 10))
        self.rows.average(self.averaged, decay)
        # A resumed average comes in another order.
        dense = [name for name in current if name not in self.rows.names()]
        torch._foreach_lerp_([self.averaged[name] for name in dense], [current[name] for name in dense], 1 - decay)

    def _save(self) -> None:
        if self.checkpoint is not None:
            self.checkpoint.save(self.progress, self.network, self.optimizer, self.averaged, self.best, self.rows)
        self._saved = time.monotonic()

    def _interruptible(self) -> AbstractContextManager[None]:
        def on_signal(number: int, frame: FrameType | None) -> None:
            self._stop = number

        return handling(dict.fromkeys((signal.SIGINT, *filter(would_end, REQUESTS)), on_signal))
