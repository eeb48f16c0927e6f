"""Numbers as people write them."""

import numpy as np
import pandas as pd
import pytest

from skpapers.comparison._numbers import Written, has_leading_zeros, likely_decimal, loses_digits, readings


def read(*texts, **said):
    """Return what the strings can be read as, by their decimal sign."""
    found = readings(Written.of(pd.Series(texts, dtype="str")).numerals, **said)
    return {decimal: numbers.tolist() for decimal, numbers in found.items()}


@pytest.mark.parametrize(
    ("texts", "decimal", "numbers"),
    [
        (("1", "-2", "+3"), ".", [1, -2, 3]),
        (("1.5", ".25", "2.", "-3e2"), ".", [1.5, 0.25, 2.0, -300.0]),
        (("1,5", "0,25"), ",", [1.5, 0.25]),
        (("1,234.50", "12", "2,000"), ".", [1234.5, 12.0, 2000.0]),
        (("2.101,50", "3.102,50"), ",", [2101.5, 3102.5]),
        (("1.200.300", "900"), ",", [1_200_300, 900]),
        (("1,200,300",), ".", [1_200_300]),
        (("1 200", "12 500,5"), ",", [1200.0, 12500.5]),
        (("1\u00a0200.5", "900"), ".", [1200.5, 900.0]),
        (("1'200.50", "900"), ".", [1200.5, 900.0]),
        (("$1,200.50", "-$3.00"), ".", [1200.5, -3.0]),
        (("1.200,50 €", "3,00 €"), ",", [1200.5, 3.0]),
        (("5%", "7.5 %"), ".", [5.0, 7.5]),
        (("USD 5", "6 USD"), ".", [5, 6]),
        (("R$ 1.200,50", "R$ 3,00"), ",", [1200.5, 3.0]),
        (("(1.5)", "2-", "\u22123"), ".", [-1.5, -2.0, -3.0]),
        (("($1,200.50)", "$(3.00)", "$-4", "-$5"), ".", [-1200.5, -3.0, -4.0, -5.0]),
        (("(5 €)", "6 €"), ".", [-5, 6]),
        (("CHF 1\u2019200.50", "CHF 900"), ".", [1200.5, 900.0]),
        (("inf", "1"), ".", [np.inf, 1.0]),
        (("9223372036854775807", "1"), ".", [9223372036854775807, 1]),
    ],
)
def test_one_reading(texts, decimal, numbers):
    assert read(*texts) == {decimal: numbers}


@pytest.mark.parametrize(
    "texts", [("1,5", "1.5"), ("1.2.3",), ("1,23,456",), ("0.123.456",), ("12.05.24",), ("1,2000.5",)]
)
def test_what_no_signs_fit(texts):
    assert read(*texts) == {}


def test_two_readings_and_what_decides():
    assert read("1.200", "900") == {".": [1.2, 900.0], ",": [1200, 900]}
    assert read("1.200", "900", decimal=".") == {".": [1.2, 900.0]}
    assert read("1.200", "900", thousands=".") == {",": [1200, 900]}
    assert read("0.123", "1.200") == {".": [0.123, 1.2]}  # no group begins with a zero


@pytest.mark.parametrize(
    ("texts", "shown", "sep", "decimal"),
    [
        (("1.200", "12.500"), {","}, ",", ","),
        (("1.200", "900"), {"."}, ";", "."),
        (("1.200", "900", "-12"), set(), ";", ","),  # fixed decimals would stand in 900, too
        (("1.200", "1500"), set(), ";", "."),  # groups would stand in 1500, too
        (("1.200", "12.500"), set(), ";", "."),
        (("1,200", "12,500"), set(), ";", ","),
        (("1,200", "12,500"), set(), ",", "."),
        (("1,200", "12,500"), {".", ","}, ",", "."),
    ],
)
def test_the_likelier_decimal_sign(texts, shown, sep, decimal):
    assert likely_decimal(pd.Series(texts), shown, sep) == decimal


def test_units():
    assert Written.of(pd.Series(["$5", "€6"])).mixed
    assert Written.of(pd.Series(["50%", "0.5"])).mixed
    assert not Written.of(pd.Series(["$5", "6"])).mixed
    written = Written.of(pd.Series(["5 kg", "$5 off", "7"]))
    assert written.looks.tolist() == [False, False, True]


def test_identifiers_and_long_numbers():
    assert has_leading_zeros(pd.Series(["00123", "45"]))
    assert not has_leading_zeros(pd.Series(["0", "45"]))
    assert not has_leading_zeros(pd.Series(["0.5", "007"]))
    short, long, huge = (pd.Series([text]) for text in ("12", "9007199254740993", "99999999999999999999"))
    for text, missing, expected in (
        (short, True, False),
        (long, False, False),
        (long, True, True),
        (huge, False, True),
    ):
        (numbers,) = readings(text).values()
        assert loses_digits(text, numbers, missing) is expected
