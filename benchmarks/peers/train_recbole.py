"""Trains the SASRec of RecBole on an exported split; runs in an environment of its own."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import handover
import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed

NAME = "split"


def write_atomic_file(folder: Path, contexts: np.ndarray) -> None:
    """Writes interactions as RecBole reads them; times are places in the history, so that no tie changes the order.

    Args:
        folder: made where needed.
        contexts: training and validation interactions, int64 `[m, 3]`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    header = "user_id:token\titem_id:token\ttimestamp:float"
    np.savetxt(folder / f"{NAME}.inter", contexts, fmt="%d", delimiter="\t", header=header, comments="")


def settings_of(options: Any) -> dict[str, Any]:
    """What differs from RecBole's defaults."""
    return {
        "hidden_size": handover.WIDTH,
        "n_layers": handover.LAYERS,
        "n_heads": handover.HEADS,
        "hidden_dropout_prob": handover.DROPOUT,
        "attn_dropout_prob": handover.DROPOUT,
        "MAX_ITEM_LIST_LENGTH": handover.MAX_LENGTH,
        "loss_type": "CE",
        "train_neg_sample_args": None,
        "learning_rate": handover.LEARNING_RATE,
        "epochs": options.epochs,
        # The library stops once more epochs than this went by without a better figure.
        "stopping_step": options.patience - 1,
        "metrics": ["NDCG"],
        "topk": [20],
        "valid_metric": "NDCG@20",
        # Rounded figures would make ties, and a tie counts as better.
        "metric_decimal_place": 8,
        "eval_args": {"split": {"LS": "valid_only"}, "order": "TO", "group_by": "user", "mode": "full"},
        "repeatable": True,
    }


def configuration(options: Any, settings: dict[str, Any]) -> Config:
    """The library's configuration; it would read the command line as well if it found one."""
    sys.argv = sys.argv[:1]
    places = {
        "data_path": str(options.out),
        "checkpoint_dir": str(options.out),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "seed": options.seed,
        "use_gpu": False,
        "show_progress": False,
    }
    return Config(model="SASRec", dataset=NAME, config_dict=settings | places)


def check_validation(dataset: Any, valid_data: Any, wanted: np.ndarray) -> None:
    """Stops where the library's own leave-one-out has other validation targets than the split.

    Args:
        dataset: with the library's names of users and items.
        valid_data: the library's loader of validation examples.
        wanted: validation targets, int64 `[n, 3]`.
    """
    examples = valid_data.dataset.inter_feat
    users = dataset.id2token("user_id", examples["user_id"].numpy()).astype(np.int64)
    items = dataset.id2token("item_id", examples["item_id"].numpy()).astype(np.int64)
    if set(zip(users, items, strict=True)) != set(map(tuple, wanted[:, :2])) or len(users) != len(wanted):
        raise SystemExit("RecBole's validation targets are not those of the split.")


def histories(tokens: np.ndarray, contexts: np.ndarray) -> tuple[np.ndarray, Interaction]:
    """Users `[n]` and their latest items as the model reads them, padded on the right.

    Args:
        tokens: the library's code of each item of the catalogue, 0 where it has none.
        contexts: int64 `[m, 3]`, sorted by user and place.
    """
    users, starts = np.unique(contexts[:, 0], return_index=True)
    items = np.zeros((len(users), handover.MAX_LENGTH), dtype=np.int64)
    lengths = np.zeros(len(users), dtype=np.int64)
    for row, history in enumerate(np.split(tokens[contexts[:, 1]], starts[1:])):
        latest = history[-handover.MAX_LENGTH :]
        items[row, : len(latest)], lengths[row] = latest, len(latest)
    return users, Interaction({"item_id_list": torch.from_numpy(items), "item_length": torch.from_numpy(lengths)})


def vectors_of(model: SASRec, asked: Interaction) -> np.ndarray:
    """Vectors `[n, d]` of histories, block by block; stops where they do not give the library's own scores."""
    model.eval()
    blocks = []
    with torch.no_grad():
        for start in range(0, len(asked), 512):
            block = asked[start : start + 512]
            vectors = model.forward(block["item_id_list"], block["item_length"])
            if not start and not torch.allclose(
                vectors @ model.item_embedding.weight.T, model.full_sort_predict(block), rtol=1e-3, atol=1e-4
            ):
                raise SystemExit("The vectors do not give the scores that RecBole ranks by.")
            blocks.append(vectors)
    return torch.cat(blocks).numpy()


def train(config: Config, dataset: Any, wanted: np.ndarray, watch: handover.Stopwatch) -> tuple[SASRec, list[float]]:
    """The model with the weights of its best epoch, and the validation figure of each epoch.

    Args:
        config: of the library.
        dataset: as the library reads it.
        wanted: validation targets, int64 `[n, 3]`.
        watch: is told of stages and epochs.
    """
    with watch.stage("loaders"):
        train_data, valid_data, _ = data_preparation(config, dataset)
        check_validation(dataset, valid_data, wanted)
        model = SASRec(config, train_data.dataset)
        trainer = Trainer(config, model)
    history: list[float] = []

    def note(epoch: int, figure: float) -> None:
        history.append(float(figure))
        watch.epoch()
        print(f"epoch {epoch + 1}: ndcg@20 {figure:.4f}, {watch.epochs[-1]:.1f} s", flush=True)

    with watch.stage("train"):
        trainer.fit(train_data, valid_data, verbose=False, saved=True, show_progress=False, callback_fn=note)
        # The library's own way of loading fails since torch 2.6, where loading refuses pickled objects by default.
        saved = torch.load(trainer.saved_model_file, map_location="cpu", weights_only=False)
        model.load_state_dict(saved["state_dict"])
    Path(trainer.saved_model_file).unlink()
    return model, history


def main() -> None:
    """Trains, and hands vectors and measurements over."""
    options = handover.parse(__doc__ or "")
    warnings.filterwarnings("ignore")
    handover.limit_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    # The library writes logs into the folder it is started in.
    os.chdir(options.out)
    settings = settings_of(options)
    watch = handover.Stopwatch()
    with watch.stage("prepare"):
        contexts = handover.read_contexts(options.split)
        write_atomic_file(options.out / NAME, contexts)
        config = configuration(options, settings)
        init_seed(options.seed, config["reproducibility"])
        dataset = create_dataset(config)
    model, history = train(config, dataset, handover.read_part(options.split, "validation"), watch)
    memory = handover.peak_memory()
    tokens = np.zeros(handover.read_split(options.split)["items"], dtype=np.int64)
    for token, code in dataset.field2token_id["item_id"].items():
        if code:
            tokens[int(token)] = code
    users, asked = histories(tokens, contexts)
    vectors = vectors_of(model, asked)
    result = handover.measurements(
        options,
        watch,
        packages=("recbole", "torch", "numpy", "pandas"),
        settings=settings | {"train_batch_size": config["train_batch_size"], "inner_size": config["inner_size"]},
        parameters=sum(weights.numel() for weights in model.parameters()),
        validation=history,
        memory=memory,
        unknown_items=int((tokens == 0).sum()),
    )
    item_vectors = model.item_embedding.weight.detach().numpy()[tokens]
    handover.Handover(users, vectors, item_vectors, tokens > 0, result).write(options.out)


if __name__ == "__main__":
    main()
