"""A user's file becomes a table."""

import csv
import io

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._cells import FileFormat
from skpapers.comparison._files import read_table


@pytest.fixture
def read(tmp_path):
    """Return a function that writes text or bytes to a file and reads the table in it."""

    def read(text, named=(), name="table.csv", **said):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(str(path), named, FileFormat(**said))

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


def test_a_sign_in_a_name_is_no_separator(read):
    frame, notes = read("price (a, b, c);b;y\n" + "1;2;3\n" * 3)
    assert frame.columns.tolist() == ["price (a, b, c)", "b", "y"]
    assert notes == []
    frame, notes = read("a;b,c\n1;2,5\n3;4,5\n")
    assert frame["b,c"].tolist() == [2.5, 4.5]
    assert notes == ["the columns are separated at ';'; --sep ',' fits as well"]
    assert read("a;b,c\n1;2,5\n3;4,5\n", sep=",")[0].columns.tolist() == ["a;b", "c"]


def test_the_first_line_of_a_spreadsheet_is_named(read):
    with pytest.raises(ValueError, match=r"its first line, sep=;, is for a spreadsheet; remove it"):
        read("sep=;\na;b\n1;2\n")


@pytest.mark.parametrize("text", ["00123\n45", "-0123\n456", "0\n-07", " 01 \n 2 "])
def test_leading_zeros_make_identifiers(read, text):
    frame, notes = read(f"id\n{text}\n")
    assert frame["id"].tolist() == [value.strip() for value in text.split("\n")]
    assert "column 'id' is a category: whole numbers with leading zeros are identifiers" in notes[0]
    assert read("id\n0\n-0\n10\n")[0]["id"].tolist() == [0, 0, 10]


def test_digits_of_other_scripts_are_text(read):
    assert read("x,y\n\u0661\u0662,1\n\u0663,2\n")[0]["x"].tolist() == ["\u0661\u0662", "\u0663"]


def test_ragged_rows_name_the_separator(read):
    with pytest.raises(
        ValueError, match=r"Expected 3 columns, got 2: 1,2; the separator is ',' \(--sep sets another\)"
    ):
        read("a,b,c\n1,2\n")


def test_padding_is_no_part_of_names_and_values(read):
    frame, notes = read('a, b, "y"\n1, 2.5, "u"\n 2,3.5 , "v"\n')
    assert frame.to_dict("list") == {"a": [1, 2], "b": [2.5, 3.5], "y": ["u", "v"]}
    assert notes == []


def test_rows_that_go_on_in_the_next_line(read):
    text = "a,b\n" + '1,"u\nv"\n' * 300
    frame, _ = read(text)
    assert frame.shape == (300, 2)
    assert frame["b"][0] == "u\nv"


@pytest.mark.parametrize("word", ["?", "None", "-", "#DIV/0!", "n.a.", "NA", "nan", "", " ", "broken"])
def test_words_among_numbers_and_dates_are_missing(read, word):
    rows = [f"{i}.5,2024-01-{i + 1:02d}" for i in range(20)]
    frame, notes = read("\n".join(["x,d", *rows, f"{word},{word}"]) + "\n")
    assert frame["x"].tolist()[:20] == [i + 0.5 for i in range(20)]
    assert frame["d"].dtype.kind == "M"
    assert frame.isna().sum().tolist() == [1, 1]
    said = [
        f"column {c!r} has {word!r} among its {what}, taken as missing (1 row)"
        for c, what in (("x", "numbers"), ("d", "dates"))
    ]
    assert notes == ([] if word in ("NA", "nan", "", " ") else said)


def test_words_that_are_not_known_are_missing_where_they_are_few_and_have_no_role(read):
    text = "x,y\n" + "".join(f"{i},{i}\n" for i in range(12)) + "odd,odd\n"
    frame, notes = read(text, ["y"])
    assert frame["x"].dtype == np.float64
    near_miss = "12 of 13 values are numbers, the others are 'odd'; --na names words that are missing values"
    assert f"column 'y' is a category: {near_miss}" in notes
    assert read(text, ["y"], na=("odd",))[0]["y"].isna().sum() == 1
    assert read(text.replace("11,", "even,").replace("10,", "bad,"), ["y"])[0]["x"].dtype != np.float64


def test_a_word_in_a_category_is_a_value(read):
    text = "a,y\n1,NA\n2,EU\n3,\n"
    frame, notes = read(text, ["y"])
    assert frame["y"].tolist()[:2] == ["NA", "EU"]
    assert frame["y"].isna().tolist() == [False, False, True]
    assert notes == ["column 'y' has 'NA' as a value in 1 row; --na=NA makes it missing"]
    frame, notes = read(text, ["y"], na=("NA",))
    assert frame["y"].isna().tolist() == [True, False, True]
    assert notes == []


def test_groups_of_thousands_beside_decimal_commas(read):
    frame, notes = read("gehalt;quote;y\n900;0,5;a\n1.200;0,75;b\n12.500;1,25;a\n")
    assert frame["gehalt"].tolist() == [900, 1200, 12500]
    assert frame["quote"].tolist() == [0.5, 0.75, 1.25]
    assert notes == ["column 'gehalt' can be read in two ways: '1.200' is read as 1200; --decimal sets the sign"]
    assert read("gehalt;y\n900;a\n1.200;b\n", decimal=".")[0]["gehalt"].tolist() == [900, 1.2]
    assert read("gehalt;y\n900;a\n1.200;b\n", thousands=".")[0]["gehalt"].tolist() == [900, 1200]
    assert read("x,z\n1.200,0.5\n1.300,1.5\n")[0]["x"].tolist() == [1.2, 1.3]


def test_units_leading_zeros_and_long_numbers_are_named(read):
    frame, notes = read('p,q,r,id,n\n$5,5%,$1,00123,99999999999999999999\n"$1,200.50",7%,€2,04567,1\n')
    assert frame["p"].tolist() == [5.0, 1200.5]
    assert frame["q"].tolist() == [5, 7]
    assert frame["id"].tolist() == ["00123", "04567"]
    assert [note.split("'")[1] for note in notes] == ["p", "q", "r", "id", "n"]


def test_formats_of_dates(read):
    text = "day,due,n\n3/15/24,01/02/2024,202401\n3/1/24,03/02/2024,202402\n"
    frame, _ = read(text)
    assert frame["day"].tolist() == [pd.Timestamp("2024-03-15"), pd.Timestamp("2024-03-01")]
    assert frame["due"].tolist() == ["01/02/2024", "03/02/2024"]  # day and month are ambiguous
    frame, _ = read(text, date_format="%d/%m/%Y")
    assert frame["due"].tolist() == [pd.Timestamp("2024-02-01"), pd.Timestamp("2024-02-03")]
    assert read(text)[0]["n"].tolist() == [202401, 202402]
    assert read(text, ["n"], date_format="%Y%m")[0]["n"][1] == pd.Timestamp("2024-02-01")
    assert read("x,z\n20240131,2024\n20240201,2025\n", date_format="%Y%m%d")[0]["x"][1] == pd.Timestamp("2024-02-01")
    with pytest.raises(ValueError, match="--date-format %H: no column has dates of this format"):
        read(text, date_format="%H")


def test_truth_values(read):
    frame, notes = read("a,b\nTrue,true\nFALSE,?\n")
    assert notes == ["column 'b' has '?' among its truth values, taken as missing (1 row)"]
    assert frame["a"].tolist() == [True, False]
    assert frame["b"].tolist()[0] is True
    assert frame["b"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"sep": "::"}, "--sep '::': must be one character"),
        ({"sep": '"'}, "no letter, digit or quotation mark"),
        ({"sep": ""}, "--sep '': must be one character"),
        ({"decimal": "1"}, r"--decimal '1': must be '\.' or ','"),
        ({"decimal": ";"}, "--decimal ';': must be"),
        ({"thousands": "_"}, "--thousands '_': must be"),
        ({"decimal": ",", "thousands": ","}, "--decimal and --thousands are both"),
    ],
)
def test_options_with_wrong_signs(read, said, message):
    with pytest.raises(ValueError, match=message):
        read("a\n1\n", **said)


def test_options_of_csv_files_with_a_parquet_file(tmp_path):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"x": [1]}).to_parquet(path)
    with pytest.raises(ValueError, match=r"are for \.csv files"):
        read_table(str(path), (), FileFormat(decimal=","))


def test_a_missing_number_is_missing_in_every_spelling(read):
    text = "x,id,word\n-999,0999,-999\n-999.0,1999,b\n-999.000,2999,c\n4.5,999,d\n"
    frame, _ = read(text, na=("-999", "999"))
    assert frame["x"].isna().tolist() == [True, True, True, False]
    assert frame["id"].tolist()[:3] == ["0999", "1999", "2999"]
    assert frame["word"].isna().tolist() == [True, False, False, False]


def test_x_may_be_a_class(read):
    text = "y,z\n" + "".join(f"{'1X2'[i % 3]},{'x' if i == 7 else i}\n" for i in range(30))
    frame, notes = read(text, ["y"])
    assert sorted(frame["y"].unique()) == ["1", "2", "X"]
    assert frame["z"].isna().sum() == 1
    assert "column 'y' is a category: 20 of 30 values are numbers, the others are 'X'" in notes[0]


def test_the_values_that_do_not_fit_are_named(read):
    text = "x;d\n" + "".join(f"{i},5;{i + 1:02d}/02/2024\n" for i in range(20)) + "1.5;02/22/2024\n"
    frame, notes = read(text)
    assert frame["x"].tolist()[-1] == "1.5"
    assert "no decimal and thousands signs fit '1.5'; they fit '0,5', '1,5', '2,5', ...;" in notes[0]
    with pytest.raises(
        ValueError, match="no column has dates of this format; in column 'd', '02/22/2024' does not fit"
    ):
        read(text, date_format="%d/%m/%Y")


def test_unknown_units_are_named(read):
    _, notes = read("y,a\n1 bps,5 kg\n2 bps,6\n3 bps,7 kg\n", ["y"])
    assert notes == [
        "column 'y' is a category: its values are numbers with a unit, such as '1 bps'; remove the units to make them "
        "numbers"
    ]


def test_columns_without_a_name_are_counted(read):
    with pytest.raises(ValueError, match="2 columns have no name"):
        read("a,,\n1,,\n2,,\n")


def written(number, decimals, decimal, thousands):
    """Write a number with groups of thousands."""
    return f"{number:,.{decimals}f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)


@pytest.mark.parametrize("seed", range(40))
def test_a_table_comes_back_or_a_note_names_the_column(read, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 40))
    decimal, thousands = [(".", ","), (",", "."), (".", ""), (",", ""), (",", " "), (".", "'")][rng.integers(6)]
    table = {}
    cells = {}
    for name, decimals in (("whole", 0), ("a, b", int(rng.integers(1, 5))), ("a;b", 2)):
        table[name] = np.round(rng.normal(size=n) * 10.0 ** rng.integers(0, 7), decimals)
        cells[name] = [written(x, decimals, decimal, thousands) for x in table[name]]
    days = pd.Timestamp("2000-01-01") + pd.to_timedelta(rng.integers(0, 9000, n), unit="D")
    table["when"] = days.to_numpy()
    cells["when"] = list(days.strftime(str(rng.choice(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%y", "%d %b %Y"]))))
    table["word"] = rng.choice(["rot", "blau", "ä"], n)
    cells["word"] = list(table["word"])
    missing = {name: rng.random(n) < rng.choice([0.0, 0.1]) for name in table}
    word = rng.choice(["", "NA", "?", "None", "-", "#DIV/0!"])
    pad = rng.choice(["", " "])
    rows = [[pad + (word if missing[c][i] else cells[c][i]) for c in cells] for i in range(n)]
    text = io.StringIO()
    csv.writer(text, delimiter=str(rng.choice(list(",;\t|")))).writerows([[pad + name for name in cells], *rows])
    frame, notes = read(text.getvalue().encode(str(rng.choice(["utf-8", "utf-8-sig"]))))
    assert frame.columns.tolist() == list(table)
    for name, values in table.items():
        known = ~missing[name]
        same = np.array_equal(frame[name].isna(), missing[name]) and (frame[name][known] == values[known]).all()
        assert same or any(note.startswith(f"column {name!r} ") for note in notes), (name, notes, frame[name])
