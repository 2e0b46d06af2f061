"""What every model can do once it is fitted, without its dataset: be kept, grow, and show what it has learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from attrformer.data.vector_tables import Vectors
from attrformer.earlier_names import takes_earlier
from attrformer.errors import ConfigurationError, NotFittedError
from attrformer.evaluation.evaluation import Evaluation
from attrformer.models.config import ModelConfig
from attrformer.paths import folder_path
from attrformer.processes import require_own_process
from attrformer.recommender.arguments import whole_number
from attrformer.recommender.changes import with_changes
from attrformer.recommender.config import Config, read_config
from attrformer.recommender.growth import with_items
from attrformer.recommender.predicted_rows import reads_predicted_rows, with_predicted_rows
from attrformer.recommender.state import ModelState
from attrformer.recommender.storage import load_model, save_model
from attrformer.recommender.strengths import pair_attributes, strongest_pairs
from attrformer.recommender.text_models import Encoder
from attrformer.recommender.updates import with_interactions
from attrformer.training.device import choose_device

if TYPE_CHECKING:
    from typing_extensions import Self


class FittedModel:
    """Options and, once there is one, the trained network.

    Args:
        config: all options: a `Config`, a mapping of them as in a YAML file, the options of a model (`SASRecConfig()`),
            or its name ("sasrec"); the defaults where None.

    Raises:
        ConfigurationError: it is something else, or an option cannot be used.
    """

    def __init__(self, config: Config | ModelConfig | Mapping[str, Any] | str | None = None) -> None:
        self.config = read_config(config)
        self.evaluation: Evaluation | None = None
        self._fitted: ModelState | None = None

    def __repr__(self) -> str:
        """What a notebook shows: the model, and what it was fitted on."""
        model = f"{type(self).__name__}(model.name={self.config.model.name})"
        if self._fitted is None:
            return f"{model}, not fitted"
        known = self._fitted.knowledge
        sizes = f"{len(known.user_ids):,} users, {len(known.item_ids):,} items"
        weights = f"{self._fitted.network.parameter_count:,} parameters"
        return f"{model}, fitted on {known.dataset}: {sizes}, {weights}"

    @property
    def fitted(self) -> ModelState:
        """The trained network with its relations.

        Raises:
            NotFittedError: before `fit` or `load`.
            ForkedProcessError: in a process that was forked after the model was fitted or loaded.
        """
        require_own_process()
        if self._fitted is None:
            raise NotFittedError(f"The model is not fitted. Call fit(dataset), or {type(self).__name__}.load(folder).")
        return self._fitted

    def add_items(
        self,
        items: Any,
        *,
        vectors: Vectors | None = None,
        encoders: Mapping[str, Encoder] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> Self:
        """Makes new items recommendable at once from their attributes, without training.

        What is said about the items that were there stays as it is. The model is changed in place; a call that is
        answering meanwhile goes on with the catalogue it began with.

        Args:
            items: a table with `item_id`, a column for each item attribute that the model reads, and optionally
                `title`. A value may be missing; one that training has not seen relates to nothing.
            vectors: item attribute to a file of vectors, or to a mapping of id to vector, as `Dataset.from_frames`
                takes them, for vectors that are no column of the table.
            encoders: by column, the encoder that the texts of an item attribute were read by in `fit`, where it was not
                the one that is built in.
            columns: canonical column name to the one in the table, as `Dataset.from_frames` takes them; names that the
                table does not have are left alone.

        Returns:
            This model.

        Raises:
            NotFittedError: before `fit` or `load`.
            DataError: a column is missing, a value does not fit its attribute, or an id is in the catalogue already.
            ConfigurationError: the model does not rank items by their attributes, or an encoder is missing or cannot
                be used.
            CheckpointError: the model was saved by a version that did not keep how attributes are read.
        """
        self._fitted = self._predicting(with_items(self.fitted, items, vectors, encoders, columns))
        return self

    def update(
        self,
        interactions: Any = None,
        users: Any = None,
        *,
        item_changes: Any = None,
        on_known: str = "warn",
        columns: Mapping[str, str] | None = None,
    ) -> Self:
        """Counts new interactions at once in histories, relations and similar users; nothing is learned from them.

        Everything that the model knows is counted from then on, also what was held back for validation and test:
        `evaluate` on these warns, and its figures are marked as leaked. The model is changed in place, as by
        `add_items`.

        Args:
            interactions: a table as in training, with new interactions only. Users may be new, items have to be in
                the catalogue.
            users: a table with `user_id` and a column for each user attribute that the model reads, about new users
                or known ones, whose values it replaces; new users have none without it.
            item_changes: a table with `item_id`, `timestamp`, `column` and `value` of what changed in the attributes
                of items. Relations read the columns that they are about, rules read all; new columns are warned of,
                and those with several values left out. It may come without interactions.
            on_known: what becomes of interactions that the model has counted before, with the same user, item and
                time: "warn" and count them again, "count" them, "skip" them, or "raise" an error. Without times
                nothing tells a repetition from a second delivery; then what a user's rows begin with and the history
                of the model ends with is taken as known.
            columns: canonical column name to the one in the tables, as `Dataset.from_frames` takes them; names that
                they do not have are left alone.

        Returns:
            This model.

        Raises:
            NotFittedError: before `fit` or `load`.
            ConfigurationError: `on_known` has an unknown value, users are given without interactions, or changes to a
                model that was saved before rules existed and reads none.
            DataError: some are known and `on_known` is "raise", a table cannot be used as it is, or a user in `users`
                has no interaction.
            UnknownIdError: an item is not in the catalogue; `add_items` comes first.
            CheckpointError: the model was saved by a version that did not keep how attributes of users are read.
        """
        fitted = self.fitted
        if interactions is None and users is not None:
            raise ConfigurationError("update has users and no interactions. Give both, or item_changes alone.")
        if item_changes is not None:
            fitted = with_changes(fitted, item_changes, columns=columns or {})
        if interactions is not None or item_changes is None:
            fitted = with_interactions(fitted, self.config, interactions, users, on_known, columns)
        self._fitted = self._predicting(fitted)
        return self

    def _predicting(self, fitted: ModelState) -> ModelState:
        """With rows of items without interactions, where the options ask for them."""
        predicts = reads_predicted_rows(self.config.model, self.config.relations)
        return with_predicted_rows(fitted) if predicts else fitted

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

    @takes_earlier({"count": "k"})
    def strongest_pairs(self, attribute: str, k: int = 12) -> tuple[list[str], NDArray[Any]]:
        """The values of an attribute with the strongest learned pairs, and the learned relation among them.

        For an item attribute the relation is M_a: row a, column b says how much an item with value a in the history
        counts for items with value b. For a user attribute it says how much a similar user with value b counts for a
        user with value a. Pairs are ordered by strength times the root of both values' frequency, pairs of two
        different values first.

        Args:
            attribute: its name; "item_age" and "user_age" tell two of one name apart.
            k: most values to show.

        Returns:
            Names of values `[n]` and the matrix `[n, n]`.

        Raises:
            NotFittedError: before `fit` or `load`.
            ConfigurationError: no pairs are learned for the attribute, or k is no whole number from 1 on.
        """
        return strongest_pairs(self.fitted, attribute, whole_number(k, "k"))

    def save(self, folder: Path | str) -> Path:
        """Writes `model.safetensors` and `model.json`, from which `load` recommends without the dataset.

        Args:
            folder: made where needed; a model that lies there is replaced.

        Returns:
            The folder.

        Raises:
            NotFittedError: before `fit` or `load`.
            ConfigurationError: the folder is none, such as a file.
            BusyError: another process is saving a model there.
            WriteError: the folder cannot be written; a model that lay there is as it was.
        """
        place = folder_path(folder, "folder")
        save_model(self.fitted, self.config, place)
        return place

    @classmethod
    def load(cls, folder: Path | str, *, device: str = "auto") -> Self:
        """Reads a saved model; it gives the same answers bit for bit on the same kind of machine.

        Args:
            folder: what `save` wrote, or the folder of a run, whose model it is.
            device: where to compute: "auto", "cpu", "cuda", "mps".

        Raises:
            CheckpointError: the folder is no model, damaged or of another version.
            ConfigurationError: the device cannot be used, or the folder is none, such as a file.
            ForkedProcessError: in a process that was forked from one in which tables or models were used.
        """
        require_own_process()
        fitted, config = load_model(folder_path(folder, "folder"), choose_device(device))
        model = cls(config)
        model._fitted = fitted
        return model
