"""MovieLens: small files with known tables, and the real archives where they are there."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from attrformer.data.formats import detect, read_raw
from attrformer.errors import DataError

RATINGS = b"2::20::3::50\n1::10::5::200\n1::20::4::100\n1::30::2::100\n"
USERS = b"1::F::1::10::48067\n2::M::56::16::\n"
MOVIES = (
    "10::Toy Story (1995)::Animation|Comedy\n"
    "20::Misérables, Les (1995)::Drama\n"
    "30::Star Wars: Episode IV - A New Hope (1977)::Sci-Fi\n"
)


def ml_1m(folder: Path, ratings: bytes = RATINGS, users: bytes = USERS, movies: bytes | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "ratings.dat").write_bytes(ratings)
    (folder / "users.dat").write_bytes(users)
    (folder / "movies.dat").write_bytes(MOVIES.encode("latin-1") if movies is None else movies)
    return folder


def fault(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read_raw(path)
    return caught.value


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_1m_gives_the_exact_tables(tmp_path: Path, encoding: str) -> None:
    tables = read_raw(ml_1m(tmp_path / "raw", movies=MOVIES.encode(encoding)))
    # User 1 acted twice at time 100: the order of the file decides.
    assert tables.interactions.rows() == [(1, 20, 100, 4), (1, 30, 100, 2), (1, 10, 200, 5), (2, 20, 50, 3)]
    assert tables.interactions.columns == ["user_id", "item_id", "timestamp", "rating"]
    assert tables.items is not None and tables.users is not None and tables.item_relations is None
    assert tables.items.columns == ["item_id", "title", "year", "genres"]
    assert tables.items.rows() == [
        (10, "Toy Story (1995)", 1995, ["Animation", "Comedy"]),
        (20, "Misérables, Les (1995)", 1995, ["Drama"]),
        (30, "Star Wars: Episode IV - A New Hope (1977)", 1977, ["Sci-Fi"]),
    ]
    assert tables.users.columns == ["user_id", "gender", "age", "occupation", "zip_code"]
    assert tables.users.rows() == [(1, "F", 1, 10, "48067"), (2, "M", 56, 16, None)]


def test_equal_times_keep_the_order_of_the_file(tmp_path: Path) -> None:
    items = [(number * 7919) % 10_007 for number in range(5_000)]
    ratings = b"".join(b"%d::%d::3::%d\n" % (place % 3, item, place // 2_500) for place, item in enumerate(items))
    expected = [(user, item) for user in range(3) for place, item in enumerate(items) if place % 3 == user]
    found = read_raw(ml_1m(tmp_path / "raw", ratings=ratings)).interactions
    assert found.select("user_id", "item_id").rows() == expected


def test_a_zip_and_its_folder_read_alike(tmp_path: Path) -> None:
    folder = ml_1m(tmp_path / "ml-1m")
    archive = tmp_path / "some.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("__MACOSX/ml-1m/._ratings.dat", b"\0\0")
        for file in sorted(folder.iterdir()):
            packed.write(file, f"ml-1m/{file.name}")
    assert detect(archive) is detect(folder) is detect(folder / "ratings.dat")
    assert detect(archive).name == "movielens-1m"
    for name, frame in read_raw(folder).frames().items():
        assert_frame_equal(read_raw(archive).frames()[name], frame)
        assert_frame_equal(read_raw(folder / "ratings.dat").frames()[name], frame)


def test_blank_lines_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    sound = read_raw(ml_1m(tmp_path / "raw"))
    windows = RATINGS.replace(b"\n", b"\r\n") + b"\r\n\r\n"
    assert_frame_equal(read_raw(ml_1m(tmp_path / "raw", ratings=windows)).interactions, sound.interactions)


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        (b"1::20::five::7", "rating", "'five' is not a whole number from -128 to 127 (line 5 of the file)"),
        (b"1::20::4", None, "3 fields where 4 are expected (line 5 of the file)"),
        (b"1::20::4::7::8", None, "5 fields where 4 are expected (line 5 of the file)"),
        (b"1::::4::7", "item_id", "the value is missing (line 5 of the file)"),
        (b"99999999999::20::4::7", "user_id", "'99999999999' is not a whole number"),
        (b"::::::", "item_id", "the value is missing (line 5 of the file)"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, column: str | None, said: str) -> None:
    error = fault(ml_1m(tmp_path / "raw", ratings=RATINGS + line + b"\n1::10::5::9\n"))
    assert (error.row, error.column) == (4, column)
    assert error.source is not None and error.source.endswith("raw/ratings.dat")
    assert said in str(error) and "Correct or delete the line" in str(error)


def test_the_first_of_several_bad_lines_is_named(tmp_path: Path) -> None:
    error = fault(ml_1m(tmp_path / "raw", ratings=b"1::2::3::4\n1::2::x::4\n1::2\ny::2::3::4\n"))
    assert (error.row, error.column) == (1, "rating")


@pytest.mark.parametrize(
    ("data", "said"),
    [("1::2::3::4\n".encode("utf-16"), "UTF-16 or binary"), (b"", "no rows"), (b"1::2\x1f3::4::5\n", "control")],
)
def test_a_file_that_is_no_text_of_ratings_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    error = fault(ml_1m(tmp_path / "raw", ratings=data))
    assert said in str(error) and "ratings.dat" in str(error)


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    folder = ml_1m(tmp_path / "raw")
    (folder / "movies.dat").unlink()
    error = fault(folder)
    assert "'movies.dat' is missing" in str(error) and "ratings.dat, users.dat" in str(error)


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    archive = tmp_path / "ml-1m.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("ml-1m/ratings.dat", RATINGS)
        packed.writestr("ml-1m/users.dat", USERS)
        packed.writestr("ml-1m/movies.dat", MOVIES.encode("latin-1"))
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    assert "cut short, damaged" in str(fault(archive)) and "fetch it again" in str(fault(archive))
    archive.write_bytes(whole.replace(b"2::20::3::50", b"2::20::4::50"))
    error = fault(archive)
    assert error.source is not None and error.source.endswith("ml-1m.zip/ml-1m/ratings.dat")
    assert "CRC" in str(error)


FLAGS_DRAMA_WAR = "0|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|1|0"
FLAGS_UNKNOWN = "1" + "|0" * 18


def test_100k_gives_the_exact_tables(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_bytes(b"2\t20\t3\t50\n1\t10\t5\t200\n1\t20\t4\t100\n")
    (tmp_path / "u.user").write_bytes(b"1|24|M|technician|85711\n2|53|F|other|T8H1N\n")
    items = f"10|Café (1995)|01-Jan-1996||http://x|{FLAGS_DRAMA_WAR}\n20|unknown||||{FLAGS_UNKNOWN}\n"
    (tmp_path / "u.item").write_bytes((items + f"30|No Year|14-Feb-1997||x|{FLAGS_DRAMA_WAR}\n").encode("latin-1"))
    assert detect(tmp_path).name == "movielens-100k"
    tables = read_raw(tmp_path)
    assert tables.interactions.rows() == [(1, 20, 100, 4), (1, 10, 200, 5), (2, 20, 50, 3)]
    assert tables.items is not None and tables.users is not None
    assert tables.items.rows() == [
        (10, "Café (1995)", 1995, ["Drama", "War"]),
        (20, "unknown", None, []),
        (30, "No Year", 1997, ["Drama", "War"]),
    ]
    assert tables.users.columns == ["user_id", "gender", "age", "occupation", "zip_code"]
    assert tables.users.rows() == [(1, "M", 24, "technician", "85711"), (2, "F", 53, "other", "T8H1N")]


def ml_25m(folder: Path, movies: bytes) -> Path:
    (folder / "ratings.csv").write_bytes(b"userId,movieId,rating,timestamp\n1,10,3.5,200\n1,20,5.0,100\n")
    (folder / "movies.csv").write_bytes(b"movieId,title,genres\n" + movies)
    return folder


def test_25m_gives_the_exact_tables(tmp_path: Path) -> None:
    movies = '10,"Amélie, ""A"" (2001)",Comedy|Drama\n20,Show (2006-2007),(no genres listed)\n30,Plain,War\n'
    tables = read_raw(ml_25m(tmp_path, movies.encode()))
    assert tables.interactions.rows() == [(1, 20, 100, 5.0), (1, 10, 200, 3.5)]
    assert tables.users is None and tables.items is not None
    assert tables.items.rows() == [
        (10, 'Amélie, "A" (2001)', 2001, ["Comedy", "Drama"]),
        (20, "Show (2006-2007)", 2006, []),
        (30, "Plain", None, ["War"]),
    ]


def test_25m_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    error = fault(ml_25m(tmp_path, "10,A (2001),War\n20,Amélie (2001),War\n".encode("latin-1")))
    assert "byte 0xe9 on line 3 is not UTF-8" in str(error) and "Save the file as UTF-8" in str(error)


def test_25m_counts_rows_after_the_header(tmp_path: Path) -> None:
    error = fault(ml_25m(tmp_path, b'10,"A, B (2001)",War\nx,C (2001),War\n'))
    assert (error.row, error.column) == (1, "item_id") and "line 3 of the file" in str(error)


@pytest.mark.slow
def test_real_1m_equals_the_reference_tables_in_time(data_root: Path) -> None:
    # Of the processor: how long that takes beside other tests is for the machine to say.
    started = time.process_time()
    tables = read_raw(data_root / "raw" / "ml-1m.zip")
    seconds = time.process_time() - started
    for name, frame in tables.frames().items():
        assert_frame_equal(frame, pl.read_parquet(data_root / "ml-1m" / f"{name}.parquet"))
    assert len(tables.frames()) == 3
    assert seconds <= 2


def test_real_100k_has_its_published_size(data_root: Path) -> None:
    tables = read_raw(data_root / "raw" / "ml-100k.zip")
    assert {name: frame.height for name, frame in tables.frames().items()} == {
        "interactions": 100_000,
        "items": 1_682,
        "users": 943,
    }
    assert tables.items is not None
    toy_story = tables.items.row(0)
    assert toy_story == (1, "Toy Story (1995)", 1995, ["Animation", "Children's", "Comedy"])
    assert tables.items["year"].null_count() == 1


def headed(
    folder: Path, ratings: str, movies: str = "movieId,title,genres\n10,A (2001),War\n20,B (2002),War\n"
) -> Path:
    (folder / "ratings.csv").write_text(ratings)
    (folder / "movies.csv").write_text(movies)
    return folder


def test_25m_reads_columns_by_their_header_in_any_order(tmp_path: Path) -> None:
    shuffled = headed(tmp_path, "movieId,userId,rating,timestamp\n10,1,3.5,200\n20,1,5.0,100\n",
                      "genres,movieId,title\nWar,10,A (2001)\nWar|Drama,20,B (2002)\n")  # fmt: skip
    tables = read_raw(shuffled)
    assert tables.interactions.columns == ["user_id", "item_id", "timestamp", "rating"]
    assert tables.interactions.rows() == [(1, 20, 100, 5.0), (1, 10, 200, 3.5)]
    assert tables.items is not None
    assert tables.items.rows() == [(10, "A (2001)", 2001, ["War"]), (20, "B (2002)", 2002, ["War", "Drama"])]


def test_25m_leaves_other_columns_out_with_a_note(tmp_path: Path) -> None:
    tables = read_raw(headed(tmp_path, 'device,"userId",movieId,rating,timestamp\nx,1,10,3.5,200\n,1,20,5.0,100\n'))
    assert tables.interactions.rows() == [(1, 20, 100, 5.0), (1, 10, 200, 3.5)]
    assert tables.notes == ("ratings.csv: column 'device' is not read",)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("userId,movieId,rating", "timestamp"),
        ("user,item,rating,timestamp", "userId"),
        ("1,10,3.5,200", "userId"),
        ("userId,userId,movieId,rating,timestamp", "userId"),
    ],
)
def test_25m_refuses_a_header_without_its_columns(tmp_path: Path, header: str, column: str) -> None:
    error = fault(headed(tmp_path, f"{header}\n1,10,3.5,200\n"))
    assert error.column == column and "Write the header userId,movieId,rating,timestamp, in any order" in str(error)


def test_10m_comes_without_users_and_with_half_stars(tmp_path: Path) -> None:
    folder = ml_1m(tmp_path / "raw", ratings=b"1::20::3.5::100\n1::10::5::50\n", movies=MOVIES.encode())
    (folder / "users.dat").unlink()
    (folder / "tags.dat").write_bytes(b"1::20::great::100\n")
    assert detect(folder).name == "movielens-10m"
    tables = read_raw(folder)
    assert tables.interactions.rows() == [(1, 10, 50, 5.0), (1, 20, 100, 3.5)]
    assert tables.users is None and tables.items is not None and tables.items["title"][1] == "Misérables, Les (1995)"
    assert tables.notes == ("tags.dat is not read",)
