"""The recommender as its users meet it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from attrformer.data.dataset import Dataset
from attrformer.data.splits import Split
from attrformer.errors import ConfigurationError
from attrformer.evaluation.evaluation import Evaluation
from attrformer.locks import locked_folder
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.models.config import ModelConfig
from attrformer.paths import folder_path
from attrformer.processes import require_own_process
from attrformer.ranks import ALONE, current
from attrformer.recommender.answering import Answering
from attrformer.recommender.arguments import check_data, truth_value
from attrformer.recommender.assessment import assess
from attrformer.recommender.config import Config
from attrformer.recommender.fitting import Fit
from attrformer.recommender.run_folder import RunFolder
from attrformer.recommender.text_models import Encoder, with_text_vectors
from attrformer.rules.request import ShopRules

if TYPE_CHECKING:
    from typing_extensions import Self


class Recommender(Answering):
    """Any model of the library: the options say which; AttrFormer where they say nothing.

    Args:
        config: all options: a `Config`, a mapping of them as in a YAML file, the options of a model (`SASRecConfig()`),
            or its name ("sasrec"); the defaults where None.

    Raises:
        ConfigurationError: it is something else, or an option cannot be used.
    """

    def fit(
        self,
        dataset: Dataset,
        *,
        split: Split | None = None,
        run: Path | str | None = None,
        resume: bool = False,
        progress: bool = True,
        warm_start: Recommender | None = None,
        encoders: Mapping[str, Encoder] | None = None,
    ) -> Self:
        """Trains on a dataset; the weights of the best epoch on validation are kept.

        Args:
            dataset: the data; `data.core` of the options is applied to it where no split is given.
            split: of the dataset as it is; by default the split that the options ask for.
            run: folder that keeps options, metrics, checkpoint, model and figures on the test part; None keeps nothing.
                The figures are then also in `evaluation`.
            resume: continue the run that lies in the folder.
            progress: show a progress bar on standard error.
            warm_start: a fitted AttrFormer to go on from: what it learned of the same items, attribute values and
                relations is where these start; others start as usual.
            encoders: by column, what turns the texts of an item attribute into vectors, in place of the encoder that is
                built in: a function from a list of texts to an array `[n, d]`, or the folder of a
                sentence-transformers model. Those that the option `relations.text_encoders` names need not be given.

        Returns:
            This model.

        Raises:
            DataError: there is nothing to train on.
            ConfigurationError: an option does not fit the data, the model to go on from has other options, or the
                folder holds a run that is not to be resumed or has other options.
            CheckpointError: the run cannot be resumed.
            BusyError: another process is training into the run folder.
            WriteError: the run folder cannot be written; the state saved last is as it was.
            Stopped: a KeyboardInterrupt, once the state has been saved in the run folder.
        """
        require_own_process()
        check_data(dataset, split)
        if truth_value(resume, "resume") and run is None:
            raise ConfigurationError("There is nothing to resume without a run folder. Give run=FOLDER.")
        if warm_start is not None and not isinstance(warm_start, Recommender):
            raise ConfigurationError("warm_start is no model. Give a fitted one, such as AttrFormer.load(folder).")
        start = None if warm_start is None else warm_start.fitted
        folder = None if run is None else RunFolder(folder_path(run, "run"))
        ranks = current()
        with locked_folder(folder.folder) if folder is not None and ranks.first else nullcontext():
            self.evaluation = None
            if split is None:
                dataset = self.config.data.filtered(dataset)
                split = self.config.data.split_of(dataset)
            if encoders or self.config.relations.text_encoders:
                read = partial(with_text_vectors, dataset, self.config.relations.text_encoders, encoders)
                dataset = ranks.shared(read)
            self._fit(Fit(self.config, dataset, split, folder, resume, progress, start, ranks))
        return self

    def _fit(self, fit: Fit) -> None:
        dataset, split, folder = fit.dataset, fit.split, fit.run
        self._fitted = fit()
        if folder is not None:
            if fit.ranks is ALONE:
                self.evaluation = self.evaluate(dataset, split=split)
            else:
                self.evaluation = assess(self._fitted, self.config, dataset, split, "test", ranks=fit.ranks)
            self._fitted.know(figures=self.evaluation.to_json())
            if not fit.ranks.first:
                return
            self.save(folder.model)
            folder.add_evaluation(self.evaluation)
            pairs = {attribute: self.strongest_pairs(attribute) for attribute in self.pair_attributes()}
            folder.add_relations(self.relation_strengths(), pairs)

    def evaluate(
        self,
        dataset: Dataset,
        *,
        split: Split | None = None,
        part: str = "test",
        metrics: Sequence[str] | None = None,
        rules: Any = None,
    ) -> Evaluation:
        """Ranks the whole catalogue for every target, in both seen variants.

        Where the split holds items out of training, the figures among these items alone are in `held_out`.

        Args:
            dataset: with the catalogue of this model; `data.core` of the options is applied to it where no split is
                given.
            split: of the dataset as it is; by default the split that the options ask for.
            part: "test" or "validation".
            metrics: names of the metrics to report, such as ["Recall", "NDCG"]; those of the options where None.
            rules: of a shop, `Rules`, a mapping, or a YAML file, which read attributes as they were at the time of each
                target; a target that they forbid is a miss, and the protocol says how many there are. Nothing is
                measured among held-out items alone then.

        Returns:
            Figures with their protocol; user and item codes are those of the dataset.

        Raises:
            NotFittedError: before `fit` or `load`.
            ConfigurationError: the part, a metric or a rule is unknown, or a rule cannot be used.
            RuleError: a condition cannot be read, or does not fit the attributes.
            DataError: the dataset has another catalogue.
        """
        fitted = self.fitted
        check_data(dataset, split)
        if split is None:
            dataset = self.config.data.filtered(dataset)
            split = self.config.data.split_of(dataset)
        config = self.config
        if metrics is not None:
            # The options say what is wrong with anything but a list of names.
            named = cast("tuple[str, ...]", metrics)
            config = replace(config, evaluation=replace(config.evaluation, metrics=named))
        return assess(fitted, config, dataset, split, part, ShopRules.read({}, rules))


class AttrFormer(Recommender):
    """Sequential recommendation with attributes as explicit relations.

    Args:
        config: all options: a `Config`, a mapping of them as in a YAML file, or an `AttrFormerConfig`; the defaults
            where None.

    Raises:
        ConfigurationError: it is something else, an option cannot be used, or the options are those of another model.
    """

    def __init__(self, config: Config | ModelConfig | Mapping[str, Any] | str | None = None) -> None:
        super().__init__(config)
        if not isinstance(self.config.model, AttrFormerConfig):
            raise ConfigurationError(
                f"The options are those of '{self.config.model.name}'. Use Recommender in place of AttrFormer."
            )
