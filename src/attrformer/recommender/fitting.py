"""From a dataset to a fitted model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch

from attrformer.data.dataset import Dataset
from attrformer.data.sequences import Sequences
from attrformer.data.splits import Split
from attrformer.data.targets import sample_targets
from attrformer.errors import ConfigurationError
from attrformer.evaluation.evaluator import evaluate
from attrformer.evaluation.metrics import find_metric, higher_is_better, parse_metric, require_known
from attrformer.models.inputs import InputMaker
from attrformer.models.leak_check import ROWS, check_network
from attrformer.models.network import Network
from attrformer.models.registry import build_network, is_own
from attrformer.models.relation_leak_check import check_relations
from attrformer.models.scorer import CatalogueScorer, evaluating
from attrformer.models.shard_scorer import ShardScorer
from attrformer.ranks import ALONE, Ranks
from attrformer.recommender.config import Config
from attrformer.recommender.fingerprint import fingerprint
from attrformer.recommender.known_later import (
    after_the_fact_marks,
    edges_read,
    protocol_marks,
    tell_what_is_known_later,
)
from attrformer.recommender.newness import reads_newness, with_newness
from attrformer.recommender.numerics import numerics
from attrformer.recommender.predicted_rows import reads_predicted_rows, with_predicted_rows
from attrformer.recommender.progress import TrainingWatcher
from attrformer.recommender.run_folder import FULL, SAMPLED, WARM_START, RunFolder
from attrformer.recommender.state import ModelMetadata, ModelState
from attrformer.recommender.strengths import relation_strengths
from attrformer.recommender.trainable import require_trainable
from attrformer.recommender.warm_start import carry_over, check_options
from attrformer.relations.build import build_relations
from attrformer.relations.relation_set import RelationSet
from attrformer.rules.item_values import ItemValues
from attrformer.training.batches import Examples
from attrformer.training.candidate_sampler import CandidateSampler, samples
from attrformer.training.checkpoint import parameters_of
from attrformer.training.device import choose_device, choose_precision, replays, settles_compiled, still_compiles
from attrformer.training.selection import Figures
from attrformer.training.trainer import Trainer

STRENGTH_CONTEXTS = 512
"""Validation contexts over which the strength of relations is measured."""

_SELECTED: Final = {
    "mean": "mean of seen=hidden and seen=ranked",
    "seen=hidden": "seen=hidden",
    "seen=ranked": "seen=ranked",
}


@dataclass(frozen=True, slots=True)
class Fit:
    """One call of `AttrFormer.fit`, ready to run.

    Args:
        config: all options.
        dataset: the filtered data.
        split: of the data.
        run: where the run is kept, or None.
        resume: whether the run's checkpoint is gone on from.
        shown: whether progress is shown.
        start: a model whose parameters are gone on from, or None.
        ranks: that make this call together; each ends with the whole model, and rank 0 alone writes.
    """

    config: Config
    dataset: Dataset
    split: Split
    run: RunFolder | None
    resume: bool
    shown: bool
    start: ModelState | None = None
    ranks: Ranks = ALONE

    def __call__(self) -> ModelState:
        """Trains; the result has the weights of the best epoch.

        Raises:
            DataError: there is nothing to train on.
            ConfigurationError: an option names what the data lack, or the run or the model to go on from has other
                options.
            CheckpointError: the run cannot be resumed.
            Stopped: after an interrupt, once the state has been saved.
            RankError: another rank was lost.
        """
        config, split, ranks = self.config, self.split, self.ranks
        require_known(config.evaluation.metrics)
        parse_metric(config.training.metric)
        device = ranks.device(choose_device(config.training.device))
        settled = ranks.told(lambda: self._settle(device))
        with numerics(config.training.threads, device, config.seed, len(split.train.items)):
            read = config.model.reads(config.relations)
            # Before it takes long.
            check_relations(self.dataset, self.split.train, read, config.seed, sampled=settled["loss"] == SAMPLED)
            relations = ranks.shared(lambda: build_relations(self.dataset, split.train, read, config.seed))
            tell_what_is_known_later(self.dataset, relations, config, stacklevel=3)
            network = build_network(relations, config.model, settled["dropout"]).to(device)
            if self.start is not None:
                carry_over(self.start, network, relations, self.dataset.item_ids)
            if self.run is not None and ranks.first:
                self.run.claim(config, settled)
            precision = torch.bfloat16 if settled["precision"] == "bfloat16" else torch.float32
            popularity, sampler = torch.from_numpy(relations.popularity).to(device), None
            if settled["loss"] == SAMPLED:
                sampler = CandidateSampler(popularity, config.training, ranks)
            trainer = self._train(network, relations, precision, device, sampler, settled["compiled"])
            return self._fitted(network, relations, settled, trainer, device)

    def _settle(self, device: torch.device) -> dict[str, Any]:
        model = self.config.model
        training, items = self.config.training, self.dataset.item_count
        sampled = samples(training, model, items)
        if self.ranks.size > 1 and not model.allows_filled_batches:
            raise ConfigurationError(
                f"model.name is '{model.name}', whose loss reads all histories of a batch together, so that several "
                "processes cannot share it. Train it with one."
            )
        require_trainable(self.dataset, self.split, self.config)
        lengths = self.split.train.lengths
        precision = choose_precision(self.config.training.precision, device)
        settled = {
            "dropout": self.config.model.dropout_rate(float(lengths.mean())),
            "precision": "bfloat16" if precision == torch.bfloat16 else "float32",
            "loss": SAMPLED if sampled else FULL,
            "compiled": settles_compiled(training.compiled, device, items * training.most_targets),
            "data": fingerprint(self.dataset, self.split),
        }
        if self.start is not None:
            check_options(self.start, self.config.model)
            settled[WARM_START] = True
        # A resumed run goes on as it began, also where timing both precisions turns out otherwise today.
        return settled if self.run is None else self.run.settle(self.config, settled, resume=self.resume)

    def _train(
        self,
        network: Network,
        relations: RelationSet,
        precision: torch.dtype,
        device: torch.device,
        sampler: CandidateSampler | None,
        compiled: bool,
    ) -> Trainer:
        config = self.config
        maker = InputMaker(relations, config.model.max_length, device)
        examples = make_examples(config, self.split.train, relations, maker, device, self.ranks)
        if is_own(config.model):
            self._check(network, examples)
        sharded = sampler is not None and self.ranks is not ALONE
        higher = higher_is_better(config.training.metric)
        sign = 1.0 if higher else -1.0
        told = (self.run, self.shown) if self.ranks.first else (None, False)
        with TrainingWatcher(config.training.epochs, *told, config.training.metric, sign) as watcher:
            trainer = Trainer(
                network,
                examples,
                self._validation(network, relations, maker, sharded),
                torch.from_numpy(relations.popularity).to(device),
                replace(config.training, compiled=still_compiles(compiled)),
                config.target,
                precision,
                None if self.run is None else self.run.checkpoint,
                watcher,
                higher,
                sampler,
                self.ranks,
                config.seed,
            )
            trainer.fit(resume=self.resume)
            trainer.release()
        return trainer

    def _validation(
        self, network: Network, relations: RelationSet, maker: InputMaker, sharded: bool
    ) -> Callable[[], Figures]:
        """Gives the validation figures of a network as it is then, the one that selects among them."""
        config = self.config
        sample = sample_targets(self.split.validation, config.training.validation_users, config.seed)
        name, k = parse_metric(config.training.metric)
        told = config.evaluation
        measured = replace(told, cutoffs=(*told.cutoffs, k), metrics=(*told.metrics, name))
        reads, popularity = find_metric(name).reads, None
        if "popularity" in reads:
            popularity = np.bincount(self.split.train.items, minlength=self.dataset.item_count)

        def validate() -> Figures:
            args = network, relations, maker
            with evaluating(network):
                return evaluate(
                    ShardScorer(*args, self.ranks) if sharded else CatalogueScorer(*args),
                    sample,
                    item_count=self.dataset.item_count,
                    dataset=self.dataset.name,
                    popularity=popularity,
                    lists="lists" in reads,
                    config=measured,
                    ranks=self.ranks,
                    by_items=sharded,
                ).values()

        return validate

    def _check(self, network: Network, examples: Examples) -> None:
        """Looks at a network of somebody's own with a few histories, from the shortest to the longest."""
        spread = np.linspace(0, len(examples.lengths) - 1, ROWS).astype(np.int64)
        batch = examples.make(0, 0, np.argsort(examples.lengths, kind="stable")[spread]).batch
        check_network(network, batch, self.dataset.item_count, causal=not self.config.model.ENDS_BEFORE_TARGET)

    def _fitted(
        self,
        network: Network,
        relations: RelationSet,
        settled: dict[str, Any],
        trainer: Trainer,
        device: torch.device,
    ) -> ModelState:
        config, dataset = self.config, self.dataset
        knowledge = ModelMetadata(
            dataset=dataset.name,
            user_ids=dataset.user_ids,
            item_ids=dataset.item_ids,
            titles=dataset.item_titles,
            histories=dataset.sequences,
            frame_library=dataset.frame_library,
            edges=edges_read(dataset, relations),
            dropout=settled["dropout"],
            precision=settled["precision"],
            selection=f"best {_of_what(config.training.evaluations_per_epoch)} by validation "
            f"{config.training.metric} ({_SELECTED[config.training.select_on]}) | "
            f"{'' if trainer.sampler is None else trainer.sampler.text + ' | '}"
            f"{protocol_marks(dataset, relations)}{after_the_fact_marks(dataset)}",
            item_values=ItemValues.of_dataset(dataset),
        )
        fitted = ModelState(config.model, relations.for_inference(), parameters_of(network), knowledge, device)
        if reads_predicted_rows(config.model, config.relations):
            fitted = with_predicted_rows(fitted)
        if reads_newness(config.model, config.relations):
            fitted = with_newness(fitted, dataset, self.split, config.relations, config.seed)
        sample = sample_targets(self.split.validation, STRENGTH_CONTEXTS, config.seed)
        fitted.know(strengths=relation_strengths(fitted, sample.users, sample.contexts))
        return fitted


def _of_what(evaluations: int) -> str:
    return "epoch" if evaluations == 1 else f"of {evaluations} evaluations an epoch"


def make_examples(
    config: Config,
    train: Sequences,
    relations: RelationSet,
    maker: InputMaker,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> Examples:
    """The training examples that a model wants.

    Args:
        config: all options.
        train: training sequences.
        relations: that the model reads.
        maker: pads, on the device.
        device: where the model is trained.
        ranks: that train together.

    Raises:
        ConfigurationError: steps are to be recorded, and this model's or this device's cannot be.
    """
    model = config.model
    recorded = ranks.size == 1 and replays(config.training.graphs, device)
    if config.training.graphs and not model.allows_filled_batches:
        raise ConfigurationError(f"training.graphs is true, and {model.name} cannot be recorded. Leave it out.")
    return Examples(
        train,
        relations,
        maker,
        model.max_length,
        config.training,
        config.target,
        config.seed,
        prefixes=model.ENDS_BEFORE_TARGET,
        partners=model.CONTRASTS_SAME_TARGET,
        # What a model of somebody's own computes may not be recordable, which only `true` promises.
        filled=model.allows_filled_batches and recorded and (config.training.graphs is True or not is_own(model)),
        ranks=ranks,
    )
