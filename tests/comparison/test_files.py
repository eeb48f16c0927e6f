"""A user's file becomes a table."""

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._files import read_table


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text or bytes to a file and reads the table in it."""

    def read(text, named=(), name="table.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(str(path), named)

    return read


def test_csv_types_come_from_all_rows_and_blanks_are_missing(read):
    frame, notes = read("x,word\n" + "1,a\n" * 600_000 + "0.5,\n")
    assert frame["x"].dtype == np.float64
    assert frame["word"].isna().sum() == 1
    assert notes == []


def test_parquet_keeps_a_date_index_and_drops_a_counting_one(tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1, 2]}, index=pd.date_range("2024-01-01", periods=2, name="day"))
    frame.to_parquet(tmp_path / "dated.parquet")
    frame.reset_index(drop=True).set_axis([5, 7]).to_parquet(tmp_path / "counted.parquet")
    assert read_table(str(tmp_path / "dated.parquet"))[0]["day"].dtype.kind == "M"
    counted, notes = read_table(str(tmp_path / "counted.parquet"))
    assert counted.columns.tolist() == ["x", "y"]
    assert notes == ["column '__index_level_0__' is a row number and not a feature"]


@pytest.mark.parametrize("index", [[0, 1, 2], [2, 0, 1], [17, 4, 9]])
@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_row_numbers_of_pandas_are_no_feature(read, index, name):
    frame = pd.DataFrame({"x": [0.5, 1.5, 2.5]}, index=index)
    found, notes = read(frame.to_csv(index_label=name))
    assert found.columns.tolist() == ["x"]
    assert notes == [f"column {name!r} is a row number and not a feature"]
    assert read(frame.to_csv(index_label=name), named=[name])[0].columns.tolist() == [name, "x"]


@pytest.mark.parametrize("text", [",x\n0,1\n0,2\n", ",x\n0.5,1\n1.5,2\n", ",x\na,1\nb,2\n", "i,x\n0,1\n1,2\n"])
def test_other_columns_stay(read, text):
    frame, notes = read(text)
    assert frame.shape == (2, 2)
    assert notes == []


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_delimiters(read, delimiter):
    text = '\ufeff"a, b"\tx\tword\n1\t0.5\tu\n2\t1.5\t"v; w"\n'.replace("\t", delimiter)
    frame, _ = read(text)
    assert frame.columns.tolist() == ["a, b", "x", "word"]
    assert frame["x"].tolist() == [0.5, 1.5]
    assert frame["word"].tolist() == ["u", "v; w"]


def test_decimal_commas_come_with_semicolons(read):
    frame, _ = read("x;z;n;word\n1,5;0.5;1;a\n2,25;1.5;2;3,5 kg\n")
    assert frame["x"].tolist() == [1.5, 2.25]
    assert frame["z"].tolist() == [0.5, 1.5]
    assert frame["n"].tolist() == [1, 2]
    assert frame["word"].tolist() == ["a", "3,5 kg"]


def test_one_column_is_one_column(read):
    assert read("x\n1\n2\n")[0].shape == (2, 1)


@pytest.mark.parametrize(
    "data",
    [
        "x,y\n1,é\n2,b\n".encode("latin-1"),
        "x,é\n1,2\n".encode("latin-1"),
        "x,y\n1,2\n".encode("utf-16"),
        "x;y\n1;é\n".encode("latin-1"),
    ],
)
def test_bytes_that_are_not_utf_8(read, data):
    with pytest.raises(ValueError, match=r"table\.csv: is not UTF-8 text; save it in UTF-8") as error:
        read(data)
    assert "\n" not in str(error.value)
