"""The result as text for a terminal, a pipe or a file, in any encoding."""

import io
import sys

import pytest

from skpapers.comparison._text import print_result
from tests.test_cli import result


@pytest.mark.parametrize("width", [80, 100, 112, 120])
def test_print_shows_certificates_where_there_are_any(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    print_result("t", result(certificate=["optimal", ""]))
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    for piece in (
        "0.876 ± 0.012",
        "+0.08",
        "[-0.02, +0.18]",
        "fit s",
        "optimal",
        "proof" if width < 112 else "certificate",
    ):
        assert piece in shown


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_encodings(monkeypatch, encoding, width):
    monkeypatch.setenv("COLUMNS", str(width))
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding=encoding))
    print_result("tafel_ß_表", result(notes=["", "failed: ValueError: größer als 表"]))
    text = data.getvalue().decode(encoding)
    assert max(map(len, text.splitlines())) <= width
    assert ("0.876 +- 0.012" if encoding == "ascii" else "0.876 ± 0.012") in text
    assert ("score +- sd" if encoding == "ascii" else "score ± sd") in text
    header = text.splitlines()[0]
    note = next(line for line in text.splitlines() if line.startswith("B: "))
    assert header.startswith({"ascii": "tafel_?_? |", "utf-8": "tafel_ß_表 |"}.get(encoding, "tafel_ß_? |"))
    assert note.endswith({"ascii": "gr??er als ?", "utf-8": "größer als 表"}.get(encoding, "größer als ?"))
    rest = "".join(line for line in text.splitlines() if line not in (header, note))
    assert "??" not in rest  # the rules of the table have a replacement of their own
