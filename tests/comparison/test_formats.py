"""Numbers as text: the digits that their spread supports, and no more."""

import math

import pytest

from skpapers.comparison._formats import Difference, NumberFormat, difference_texts, score_texts, seconds_text

NAN = math.nan


@pytest.mark.parametrize(
    ("score", "sd", "text"),
    [
        (0.91654, 0.0168, "0.917 ± 0.017"),
        (0.876543, 0.0999, "0.877 ± 0.100"),
        (0.5, 0.25, "0.50 ± 0.25"),
        (0.0001, 0.0034, "0.0001 ± 0.0034"),
        (-0.00004, 0.0034, "0.0000 ± 0.0034"),  # no "-0.0000"
        (-12.3456, 3.21, "-12.3 ± 3.2"),
        (12345.6, 234.5, "12346 ± 234"),
        (0.9, 0.0, "0.9000 ± 0.0000"),
        (0.9, 1e-13, "0.9000 ± <0.0001"),
        (0.9, NAN, "0.9000"),
        (1.0, 0.0, "1.000 ± 0.000"),
        (0.0, 0.0, "0.000 ± 0.000"),
        (1.2345e9, 2.1e7, "1.234e9 ± 0.021e9"),
        (1.23456e-7, 2e-9, "1.235e-7 ± 0.020e-7"),
        (NAN, NAN, ""),
        (NAN, 0.1, ""),
    ],
)
def test_scores(score, sd, text):
    assert score_texts([score], [sd]) == [text]
    assert score_texts([score], [sd], "") == [text.partition(" ")[0]]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((-0.0041, -0.0142, 0.0061, 0.917), ("-0.004", "[-0.014, +0.006]")),
        ((0.0012, -0.0301, 0.0325, 0.45), ("+0.001", "[-0.030, +0.033]")),
        ((1e-11, -3e-11, 5e-11, 0.917), ("<0.0001", "[-0.0001, +0.0001]")),
        ((1e-11, NAN, NAN, 0.917), ("<0.0001", "")),
        ((0.0, 0.0, 0.0, 0.917), ("0", "[0, 0]")),
        ((0.0, -0.012, 0.012, 0.917), ("0.000", "[-0.012, +0.012]")),
        ((0.00012, 0.00011, 0.00013, 0.9), ("+0.0001", "[+0.0001, +0.0001]")),
        ((0.25, NAN, NAN, 0.9), ("+0.25", "")),
        ((0.0, NAN, NAN, 0.9), ("0", "")),
        ((1523.4, 1201.0, 1845.8, 12000.0), ("+1523", "[+1201, +1846]")),
        ((0.00012, -0.00003, 0.00027, 0.0011), ("+0.00012", "[-0.00003, +0.00027]")),
        ((1.01, 0.2, 1.82, -1.08), ("+1.01", "[+0.20, +1.82]")),
        ((NAN, NAN, NAN, 0.9), ("", "")),
    ],
)
def test_differences(numbers, expected):
    assert difference_texts([Difference(*numbers)]) == [expected]


def test_a_column_has_the_same_decimals():
    scores = [0.91654, 0.4561, -0.01, NAN]
    assert score_texts(scores, [0.0168, 0.0931, 0.009, NAN]) == [
        "0.917 ± 0.017",
        "0.456 ± 0.093",
        "-0.010 ± 0.009",
        "",
    ]
    numbers = [(-0.004, -0.014, 0.006), (0.001, -0.002, 0.004), (1e-11, -3e-11, 5e-11), (-0.46, -0.55, -0.38)]
    numbers += [(NAN, NAN, NAN)]
    assert difference_texts([Difference(*row, 0.9) for row in numbers]) == [
        ("-0.004", "[-0.014, +0.006]"),
        ("+0.001", "[-0.002, +0.004]"),
        ("<0.001", "[-0.001, +0.001]"),
        ("-0.460", "[-0.550, -0.380]"),
        ("", ""),
    ]


def test_more_decimals_where_an_interval_would_end_at_zero():
    numbers = [(-0.04, -0.14, 0.06), (0.0006, 0.0002, 0.001), (0.1, -0.3, 0.5)]
    texts = difference_texts([Difference(*row, 0.9) for row in numbers])
    assert texts == [("-0.04", "[-0.14, +0.06]"), ("+0.0006", "[+0.0002, +0.0010]"), ("+0.10", "[-0.30, +0.50]")]


def test_a_column_of_different_magnitudes():
    assert score_texts([0.5, 2.5e8], [0.1, 3e7]) == ["0.50 ± 0.10", "2.50e8 ± 0.30e8"]
    assert score_texts([], []) == []


@pytest.mark.parametrize("spread", [10.0**power for power in range(-15, 10)])
@pytest.mark.parametrize("score", [0.0, 3e-9, 0.004, 0.917, 54.2, 3.1e7])
def test_no_number_is_long(score, spread):
    assert len(score_texts([score], [spread])[0]) <= 24
    shown = Difference(score / 7, score / 7 - spread, score / 7 + spread, score)
    ((difference, interval),) = difference_texts([shown])
    assert len(difference) <= 12
    assert len(interval) <= 26
    assert "-0.000000" not in difference + interval


def test_a_written_number_is_near_the_number():
    for value in (0.0345, -123.4, 5e-7, 3.2e8, 999.96):
        write = NumberFormat.of(value, NAN)
        assert float(write(value)) == pytest.approx(value, abs=write.resolution / 2 * 1.001)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00002, "<0.001"),
        (0.0041, "0.004"),
        (0.0512, "0.051"),
        (0.214, "0.21"),
        (1.44, "1.4"),
        (2.0, "2.0"),
        (0.2, "0.20"),
        (9.96, "10"),
        (310.2, "310"),
        (NAN, ""),
    ],
)
def test_seconds(seconds, text):
    assert seconds_text(seconds) == text
