"""The recommender as its users meet it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from attrformer.dataset.dataset import Dataset
from attrformer.dataset.frames import native_like
from attrformer.dataset.splits import Split
from attrformer.errors import ConfigurationError, NotFittedError
from attrformer.evaluation.evaluation import Evaluation
from attrformer.models.attrformer import AttrFormerConfig
from attrformer.recommender import ranking
from attrformer.recommender.assessment import assess
from attrformer.recommender.config import Config
from attrformer.recommender.fitted import Fitted
from attrformer.recommender.fitting import Fit
from attrformer.recommender.requests import chosen_items, read_request
from attrformer.recommender.run_folder import RunFolder
from attrformer.recommender.storage import load_model, save_model
from attrformer.recommender.strengths import pair_attributes, strongest_pairs
from attrformer.training.device import choose_device

if TYPE_CHECKING:
    from typing_extensions import Self


class Recommender:
    """Any model of the library: the options say which; AttrFormer where they say nothing.

    Args:
        config: all options; the defaults where None.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = Config() if config is None else config
        self.evaluation: Evaluation | None = None
        self._fitted: Fitted | None = None

    @property
    def fitted(self) -> Fitted:
        """The trained network with its relations.

        Raises:
            NotFittedError: before `fit` or `load`.
        """
        if self._fitted is None:
            raise NotFittedError(f"The model is not fitted. Call fit(dataset), or {type(self).__name__}.load(folder).")
        return self._fitted

    def fit(
        self,
        dataset: Dataset,
        *,
        split: Split | None = None,
        run: Path | str | None = None,
        resume: bool = False,
        progress: bool = True,
    ) -> Self:
        """Trains on a dataset; the weights of the best epoch on validation are kept.

        Args:
            dataset: the data; `data.core` of the options is applied to it where no split is given.
            split: of the dataset as it is; by default the split that the options ask for.
            run: folder that keeps options, metrics, checkpoint, model and figures on the test part; None keeps nothing.
                The figures are then also in `evaluation`.
            resume: continue the run that lies in the folder.
            progress: show a progress bar on standard error.

        Returns:
            This model.

        Raises:
            DataError: there is nothing to train on.
            ConfigurationError: an option does not fit the data, or the folder holds a run that is not to be resumed or
                has other options.
            CheckpointError: the run cannot be resumed.
            Stopped: a KeyboardInterrupt, once the state has been saved in the run folder.
        """
        if resume and run is None:
            raise ConfigurationError("There is nothing to resume without a run folder. Give run=FOLDER.")
        folder = None if run is None else RunFolder(Path(run))
        self.evaluation = None
        if split is None:
            dataset = self.config.data.filtered(dataset)
            split = self.config.data.split_of(dataset)
        self._fitted = Fit(self.config, dataset, split, folder, resume, progress)()
        if folder is not None:
            self.evaluation = self.evaluate(dataset, split=split)
            self._fitted.know(figures=self.evaluation.to_json())
            self.save(folder.model)
            folder.add_evaluation(self.evaluation)
            pairs = {attribute: self.strongest_pairs(attribute) for attribute in self.pair_attributes()}
            folder.add_relations(self.relation_strengths(), pairs)
        return self

    def evaluate(self, dataset: Dataset, *, split: Split | None = None, part: str = "test") -> Evaluation:
        """Ranks the whole catalogue for every target, in both seen variants.

        Args:
            dataset: with the catalogue of this model; prepared as in `fit`.
            split: of the dataset as it is; by default the split that the options ask for.
            part: "test" or "validation".

        Returns:
            Figures with their protocol; user and item codes are those of the dataset.

        Raises:
            NotFittedError: before `fit` or `load`.
            ConfigurationError: the part is unknown.
            DataError: the dataset has another catalogue.
        """
        fitted = self.fitted
        if split is None:
            dataset = self.config.data.filtered(dataset)
            split = self.config.data.split_of(dataset)
        return assess(fitted, self.config, dataset, split, part)

    def recommend(
        self,
        users: Any = None,
        histories: Any = None,
        *,
        k: int = 10,
        hide_seen: bool = True,
        candidates: Any = None,
    ) -> Any:
        """The best items for known users, from everything they did, or for histories of anybody.

        Args:
            users: external ids of users the model was fitted on; everyone where neither users nor histories are given.
            histories: item ids, oldest first: a mapping by user id, a list of lists (users are then called 0, 1, ...),
                or a table with `user_id`, `item_id` and what else the training interactions had. Ids of known users
                bring their attributes.
            k: items for each user; fewer come back where fewer are left.
            hide_seen: leave out items of the history.
            candidates: external ids of the items to choose from; the whole catalogue by default.

        Returns:
            A table `user_id, item_id, score, rank`, best first, equal scores in the order of the catalogue; in the
            frame library of the dataset, or of the histories where they are a table.

        Raises:
            NotFittedError: before `fit` or `load`.
            UnknownIdError: a user or item id is unknown; the message names it.
            DataError: a history is empty.
            ConfigurationError: both users and histories are given, or k is below 1.
        """
        fitted = self.fitted
        request = read_request(fitted, users, histories)
        chosen = None if candidates is None else chosen_items(fitted, candidates, "candidates")
        return native_like(ranking.recommend(fitted, request, k, hide_seen, chosen), request.library)

    def explain(
        self,
        users: Any = None,
        histories: Any = None,
        *,
        items: Any = None,
        k: int = 10,
        hide_seen: bool = True,
    ) -> Any:
        """Why items are ranked as they are: each score as a sum of parts.

        Args:
            users: as in `recommend`.
            histories: as in `recommend`.
            items: external ids of the items to explain; the k best where None. Their rank is that among each other.
            k: items for each user.
            hide_seen: leave out items of the history; given items are explained in any case.

        Returns:
            A table `user_id, item_id, score, rank, part, contribution, history`: a row for the content part and each
            relation of each item. `history` is the item of the history that speaks loudest for it in that relation,
            null where the history plays no part.

        Raises:
            NotFittedError: before `fit` or `load`.
            UnknownIdError: a user or item id is unknown; the message names it.
            DataError: a history is empty.
            ConfigurationError: both users and histories are given, or k is below 1.
        """
        fitted = self.fitted
        request = read_request(fitted, users, histories)
        chosen = None if items is None else chosen_items(fitted, items, "items")
        return native_like(ranking.explain(fitted, request, k, hide_seen, chosen), request.library)

    def relation_strengths(self) -> dict[str, float]:
        """How much each relation tells items apart, the strongest first.

        The mean over validation histories of |g_a(h)| times the standard deviation over the catalogue of
        log(1 + e_a / eps_a), in units of the score; measured when the model was fitted.

        Raises:
            NotFittedError: before `fit` or `load`.
        """
        return dict(self.fitted.knowledge.strengths)

    def pair_attributes(self) -> list[str]:
        """The attributes that `strongest_pairs` knows.

        Raises:
            NotFittedError: before `fit` or `load`.
        """
        return pair_attributes(self.fitted)

    def strongest_pairs(self, attribute: str, count: int = 12) -> tuple[list[str], NDArray[Any]]:
        """The values of an attribute with the strongest learned pairs, and the learned relation among them.

        For an item attribute the relation is M_a: row a, column b says how much an item with value a in the history
        speaks for items with value b. For a user attribute it says how much a similar user with value b counts for a
        user with value a. Pairs are ordered by strength times the root of both values' frequency, pairs of two
        different values first.

        Args:
            attribute: its name; "item_age" and "user_age" tell two of one name apart.
            count: most values to show.

        Returns:
            Names of values `[n]` and the matrix `[n, n]`.

        Raises:
            NotFittedError: before `fit` or `load`.
            ConfigurationError: no pairs are learned for the attribute.
        """
        return strongest_pairs(self.fitted, attribute, count)

    def save(self, folder: Path | str) -> None:
        """Writes `model.safetensors` and `model.json`, from which `load` recommends without the dataset.

        Args:
            folder: made where needed; a model that lies there is replaced.

        Raises:
            NotFittedError: before `fit` or `load`.
        """
        save_model(self.fitted, self.config, Path(folder))

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "auto") -> Self:
        """Reads a saved model; it gives the same answers bit for bit on the same kind of machine.

        Args:
            folder: what `save` wrote.
            device: where to compute: "auto", "cpu", "cuda", "mps".

        Raises:
            CheckpointError: the folder is no model, damaged or of another version.
            ConfigurationError: the device cannot be used.
        """
        fitted, config = load_model(Path(folder), choose_device(device))
        model = cls(config)
        model._fitted = fitted
        return model


class AttrFormer(Recommender):
    """Sequential recommendation with attributes as explicit relations.

    Args:
        config: all options; the defaults where None.

    Raises:
        ConfigurationError: the options are those of another model.
    """

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        if not isinstance(self.config.model, AttrFormerConfig):
            raise ConfigurationError(
                f"The options are those of '{self.config.model.name}'. Use Recommender in place of AttrFormer."
            )
