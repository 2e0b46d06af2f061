"""Vectors in files beside the tables: every form, whose they are, and what is refused."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from attrformer.data import AttributeKind, Dataset
from attrformer.data.check import check_path
from attrformer.errors import ConfigurationError, DataError

LOG = pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": [1, 2, 3]})
ITEMS = pl.DataFrame({"item_id": [1, 2], "brand": ["x", "y"]})
IDS = [3, 2, 9, 7]
VECTORS = np.array([[1, 2], [3, 4], [5, 6], [7, 8.5]])
NAN = float("nan")
EXPECTED = [[NAN, NAN], [3, 4], [1, 2]]


def write(folder: Path, form: str) -> Any:
    """The vectors in a form; a path, or a mapping."""
    path = folder / f"image{form}"
    if form == ".npz":
        np.savez(path, ids=np.array(IDS), vectors=VECTORS)
    elif form == ".texts.npz":
        np.savez_compressed(path, ids=np.array([str(name) for name in IDS]), vectors=VECTORS.astype(np.float16))
    elif form == ".npy":
        np.save(path, VECTORS)
        (folder / "image.ids.txt").write_text("".join(f"{name}\n" for name in IDS))
    elif form == ".safetensors":
        save_file({str(name): row for name, row in zip(IDS, VECTORS, strict=True)}, path)
    elif form == ".arrays.safetensors":
        save_file({"ids": np.array(IDS), "vectors": VECTORS.astype(np.float32)}, path)
    else:
        return dict(zip(IDS, VECTORS if form == "mapping" else VECTORS.tolist(), strict=True))
    return path


FORMS = [".npz", ".texts.npz", ".npy", ".safetensors", ".arrays.safetensors", "mapping", "lists"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("items", [ITEMS, None])
def test_every_form_gives_the_same_vectors(tmp_path: Path, form: str, items: pl.DataFrame | None) -> None:
    dataset = Dataset.from_frames(LOG, items, vectors={"image": write(tmp_path, form)})
    found = dataset.item_attributes["image"]
    assert found.kind is AttributeKind.VECTOR and found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, EXPECTED)
    assert ("brand" in dataset.item_attributes) == (items is not None)
    assert any("column 'image' holds " in note for note in dataset.notes)


def test_a_catalogue_of_all_items_gets_none_that_only_have_a_vector(tmp_path: Path) -> None:
    dataset = Dataset.from_frames(
        LOG, ITEMS.vstack(pl.DataFrame({"item_id": [9], "brand": ["x"]})), vectors={"image": write(tmp_path, ".npz")},
        catalogue="all",
    )  # fmt: skip
    assert dataset.item_ids.to_list() == [1, 2, 3, 9]
    np.testing.assert_array_equal(dataset.item_attributes["image"].vectors, [*EXPECTED, [5, 6]])
    assert any("1 of them are about other ids and left out" in note for note in dataset.notes)


def test_ids_of_tables_that_are_text_meet_vectors_of_numbers(tmp_path: Path) -> None:
    for ids in (pl.String, pl.Int32, pl.Float64):
        log, items = LOG.cast({"item_id": ids}), ITEMS.cast({"item_id": ids})
        if ids == pl.Float64:
            log = log.cast({"item_id": pl.Int64})
        found = Dataset.from_frames(log, items, vectors={"image": write(tmp_path, ".npz")})
        np.testing.assert_array_equal(found.item_attributes["image"].vectors, EXPECTED)


def test_an_npy_without_ids_is_in_the_order_of_the_table(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", VECTORS[:2])
    dataset = Dataset.from_frames(LOG, ITEMS, vectors={"items.image": tmp_path / "image.npy"})
    np.testing.assert_array_equal(dataset.item_attributes["image"].vectors, [[1, 2], [3, 4], [NAN, NAN]])
    assert "items: column 'image' holds the vectors of image.npy, in the order of the rows" in dataset.notes
    for items in (None, ITEMS.head(1)):
        with pytest.raises(DataError, match=r"2 vectors without ids.*Write the ids into image.ids.txt beside it"):
            Dataset.from_frames(LOG, items, vectors={"image": tmp_path / "image.npy"})


def test_users_have_vectors_too(tmp_path: Path) -> None:
    taste = {"b": [1.0, 2.0], "a": [0.5, 0.0], "z": [1.0, 1.0]}
    dataset = Dataset.from_frames(LOG, vectors={"users.taste": taste})
    np.testing.assert_array_equal(dataset.user_attributes["taste"].vectors, [[0.5, 0], [1, 2]])
    assert dataset.item_attributes == {}


def test_a_folder_holds_vectors_and_an_argument_goes_before_them(tmp_path: Path) -> None:
    data = tmp_path / "shop"
    (data / "item_vectors").mkdir(parents=True)
    (data / "user_vectors").mkdir()
    LOG.write_csv(data / "interactions.csv")
    ITEMS.write_parquet(data / "items.parquet")
    os.rename(write(tmp_path, ".npz"), data / "item_vectors" / "image.npz")
    (data / "item_vectors" / "README.txt").write_text("How they were made.")
    save_file({"a": np.array([0.5, 1, 2], np.float32)}, data / "user_vectors" / "taste.safetensors")
    dataset = Dataset.load(data)
    np.testing.assert_array_equal(dataset.item_attributes["image"].vectors, EXPECTED)
    np.testing.assert_array_equal(dataset.user_attributes["taste"].vectors, [[0.5, 1, 2], [NAN] * 3])
    uses = {use.column: use for use in check_path(data).columns}
    assert uses["image"].used_as == "item attribute, vector" and uses["image"].missing == pytest.approx(1 / 3)
    other = Dataset.load(data, vectors={"image": {1: [9.0, 9.0]}})
    np.testing.assert_array_equal(other.item_attributes["image"].vectors, [[9, 9], [NAN] * 2, [NAN] * 2])
    saved = Dataset.load(dataset.save(tmp_path / "saved"))
    np.testing.assert_array_equal(saved.item_attributes["image"].vectors, EXPECTED)
    assert saved.notes == dataset.notes
    np.save(data / "item_vectors" / "image.npy", VECTORS)
    with pytest.raises(DataError, match=r"two files of one attribute: image.npy and image.npz"):
        Dataset.load(data)


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (trap,)

    np.save(tmp_path / "image.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "image.npz", ids=np.array([1]), vectors=np.array([Trap()], dtype=object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "image.safetensors").write_bytes(pickle.dumps(Trap()))
    for name in ("image.npy", "image.npz", "plain.npz", "image.safetensors"):
        with pytest.raises(DataError, match=name):
            Dataset.from_frames(LOG, ITEMS, vectors={"image": tmp_path / name})
    assert not trap.exists()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"vectors": VECTORS}, "it holds vectors. Save np.savez"),
        ({"ids": np.array(IDS), "vectors": VECTORS[0]}, "its vectors are of the shape"),
        ({"ids": np.array(IDS), "vectors": VECTORS.astype(str)}, "its vectors are of the shape"),
        ({"ids": np.array(IDS[:2]), "vectors": VECTORS}, "its ids are of the shape .* and there are 4 vectors"),
        ({"ids": np.array(IDS) + 0.5, "vectors": VECTORS}, "type float64, and there are 4 vectors"),
        ({"ids": np.array([1, 1]), "vectors": VECTORS[:2]}, "row 1: '1' has more than one vector"),
        ({"ids": np.array([8, 9]), "vectors": VECTORS[:2]}, "none of its vectors is about an id of the data"),
        ({"ids": np.array([8, 1]), "vectors": np.array([[1, 1], [1, NAN]])}, "row 1: the vector of '1' holds numbers"),
        ({"ids": np.array([1]), "vectors": np.array([[1e300, 1]])}, "row 0: the vector of '1' holds numbers"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "image.npz", **arrays)
    with pytest.raises(DataError, match=said):
        Dataset.from_frames(LOG, ITEMS, vectors={"image": tmp_path / "image.npz"})


def test_what_is_no_file_of_vectors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.txt").write_text("1 2")
    whole = write(tmp_path, ".npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    for name, said in (
        ("none.npz", "there is no such file"),
        ("image.txt", "the ending '.txt' is not known. Give one of .npz, .npy, .safetensors"),
        ("half.npz", "it cannot be read"),
        ("empty.npz", "it holds nothing"),
    ):
        with pytest.raises(DataError, match=said):
            Dataset.from_frames(LOG, ITEMS, vectors={"image": tmp_path / name})
    for given, said in (
        ({1: [1.0], 2: [1.0, 2.0]}, r"the vector of '2' has the shape \[2\], and that of '1' \[1\]"),
        ({1: ["a"]}, "the vector of '1' holds no numbers"),
        ({}, "it holds no vector of an id of the data"),
        (7, "a int is given. Give the path of a file"),
    ):
        with pytest.raises(DataError, match=said):
            Dataset.from_frames(LOG, ITEMS, vectors={"image": given})  # type: ignore[dict-item]
    with pytest.raises(DataError, match="vectors are given for a column that the table has as well"):
        Dataset.from_frames(LOG, ITEMS, vectors={"brand": {1: [1.0]}})
    with pytest.raises(ConfigurationError, match=r"vectors is 'image.npz'. Give a mapping"):
        Dataset.from_frames(LOG, ITEMS, vectors="image.npz")  # type: ignore[arg-type]
