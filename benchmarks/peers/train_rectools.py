"""Trains the SASRec of RecTools on an exported split; runs in an environment of its own."""

from __future__ import annotations

import warnings
from typing import Any

import handover
import numpy as np
import pandas as pd
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

METRIC = "ndcg@20"
BATCH = 128


class Validation(Callback):
    """NDCG@20 on the validation targets after each epoch, all items ranked, as a monitor for early stopping."""

    def __init__(self, watch: handover.Stopwatch) -> None:
        self.watch = watch
        self.history: list[float] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> Validation:
        """The model copies its trainer before it trains; the figures are to end up here all the same."""
        return self

    def on_validation_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        """Adds up the gain of a batch; an item that scores as high as the target counts as before it."""
        target = batch["y"].reshape(-1, 1)
        # Column 0 is padding. A batch of one row comes without its first dimension.
        logits = outputs["logits"].reshape(len(target), -1)
        rank = (logits[:, 1:] >= logits.gather(1, target)).sum(dim=1)
        gain = torch.where(rank <= 20, 1 / torch.log2(rank + 1.0), 0.0)
        module.log(METRIC, gain.mean(), on_step=False, on_epoch=True, batch_size=len(target))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        """Notes figure and time; validation belongs to the epoch."""
        self.history.append(float(trainer.callback_metrics[METRIC]))
        self.watch.epoch()
        print(f"epoch {len(self.history)}: {METRIC} {self.history[-1]:.4f}, {self.watch.epochs[-1]:.1f} s", flush=True)


def last_of_each_user(interactions: pd.DataFrame) -> np.ndarray:
    """Marks the validation target, the latest interaction of each user.

    Args:
        interactions: of training and validation.
    """
    latest = interactions.groupby(Columns.User)[Columns.Datetime].transform("max")
    return (interactions[Columns.Datetime] == latest).to_numpy()


def dataset_of(table: np.ndarray) -> Dataset:
    """A dataset whose times are places in the history, so that no tie can change the order."""
    frame = pd.DataFrame(table, columns=[Columns.User, Columns.Item, Columns.Datetime])
    frame[Columns.Datetime] = pd.to_datetime(frame[Columns.Datetime], unit="s")
    frame[Columns.Weight] = 1.0
    return Dataset.construct(frame)


def make_model(options: Any, watch: handover.Stopwatch, settings: dict[str, Any]) -> tuple[SASRecModel, Validation]:
    """The model with early stopping, and the callback that keeps its figures."""
    validation = Validation(watch)

    def trainer() -> lightning.Trainer:
        return lightning.Trainer(
            max_epochs=options.epochs,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=[
                validation,
                EarlyStopping(METRIC, mode="max", patience=options.patience),
                ModelCheckpoint(options.out, "best", METRIC, mode="max", save_weights_only=True),
            ],
        )

    model = SASRecModel(
        **settings,
        recommend_torch_device="cpu",
        get_val_mask_func=last_of_each_user,
        get_trainer_func=trainer,
    )
    return model, validation


def vectors_of(model: SASRecModel, dataset: Dataset, users: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Users the model can speak of `[n]`, their vectors `[n, d]`, and those of the items it knows."""
    prepared = model.data_preparator.transform_dataset_u2i(dataset, users)
    loader = model.data_preparator.get_dataloader_recommend(prepared, model.recommend_batch_size)
    network = model.torch_model.eval()
    with torch.no_grad():
        table = network.item_model.get_all_embeddings()
        found = torch.cat([network.encode_sessions(batch, table)[:, -1] for batch in loader])
    return (
        prepared.user_id_map.get_external_sorted_by_internal().astype(np.int64),
        found.numpy(),
        table[model.data_preparator.n_item_extra_tokens :].numpy(),
    )


def check(model: SASRecModel, dataset: Dataset, users: np.ndarray, vectors: np.ndarray, items: np.ndarray) -> None:
    """Stops where the products are not the scores that the library itself recommends by."""
    lists = model.recommend(users[:100], dataset, k=10, filter_viewed=False)
    for user, vector in zip(users[:100], vectors, strict=False):
        own = lists.loc[lists[Columns.User] == user, Columns.Score].to_numpy()
        if not np.allclose(own, np.sort(items @ vector)[::-1][:10], rtol=1e-3, atol=1e-4):
            raise SystemExit(f"The vectors of user {user} do not give the scores that RecTools recommends by.")


def main() -> None:
    """Trains, and hands vectors and measurements over."""
    options = handover.parse(__doc__ or "")
    warnings.filterwarnings("ignore")
    handover.limit_threads(options.threads)
    lightning.seed_everything(options.seed, verbose=False)
    settings = {
        "n_factors": handover.WIDTH,
        "n_blocks": handover.LAYERS,
        "n_heads": handover.HEADS,
        "dropout_rate": handover.DROPOUT,
        "session_max_len": handover.MAX_LENGTH,
        "loss": "softmax",
        "lr": handover.LEARNING_RATE,
        "batch_size": BATCH,
    }
    watch = handover.Stopwatch()
    with watch.stage("prepare"):
        contexts = handover.read_contexts(options.split)
        dataset = dataset_of(contexts)
        model, validation = make_model(options, watch, settings)
    with watch.stage("train"):
        model.fit(dataset)
        model.load_weights_from_checkpoint(model.fit_trainer.checkpoint_callback.best_model_path)
    memory = handover.peak_memory()
    users, vectors, table = vectors_of(model, dataset, np.unique(contexts[:, 0]))
    check(model, dataset, users, vectors, table)
    known = np.zeros(handover.read_split(options.split)["items"], dtype=bool)
    items = np.asarray(model.data_preparator.get_known_item_ids(), dtype=np.int64)
    known[items] = True
    item_vectors = np.zeros((len(known), handover.WIDTH), dtype=np.float32)
    item_vectors[items] = table
    result = handover.measurements(
        options,
        watch,
        packages=("rectools", "pytorch-lightning", "torch", "numpy", "pandas"),
        settings=settings,
        parameters=sum(weights.numel() for weights in model.torch_model.parameters()),
        validation=validation.history,
        memory=memory,
        unknown_items=int((~known).sum()),
    )
    handover.Handover(users, vectors, item_vectors, known, result).write(options.out)


if __name__ == "__main__":
    main()
