"""A run as a file of options, and as a command."""

import re
import shlex
import tomllib

import pytest

from skpapers.cli._config import command_of, config_text, read_config
from skpapers.cli._parser import complete, make_parser, option_keys

GIVEN = {
    "table": "my prices.csv",
    "target": "größe",
    "metric": ["r2", "pinball:0.9"],
    "methods": "SAM network,HS tree",
    "gap": 5,
    "time_budget": 90.0,
    "na": "-999,k.A.",
}


def compare_parser():
    return make_parser()[1]


def read(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return read_config(str(path), compare_parser())


def test_options_survive_the_file_and_the_command(tmp_path):
    assert read(tmp_path, config_text(GIVEN)) == GIVEN
    words = shlex.split(command_of(GIVEN))
    assert words[:4] == ["python", "-m", "skpapers", "compare"]
    assert vars(compare_parser().parse_args(words[4:])) == GIVEN


def test_where_a_run_writes_is_not_part_of_it():
    places = {"out": "a", "save": "b", "checkpoint": "c", "resume": True}
    assert command_of(GIVEN | places) == command_of(GIVEN)
    assert config_text(GIVEN | places) == config_text(GIVEN)


def test_every_option_can_be_a_key(tmp_path):
    lists = {"metric", "reference"}
    text = ""
    for key in option_keys(compare_parser()):
        value = {"task": '"regression"', "resume": "true"}.get(key, "3")
        text += f"{key.replace('_', '-')} = {value}\n"
    found = read(tmp_path, text)
    assert set(found) == set(option_keys(compare_parser()))
    assert found["gap"] == 3
    assert found["resume"] is True
    assert all(isinstance(found[key], list) for key in lists)


def test_lists(tmp_path):
    found = read(tmp_path, 'metric = ["r2", "mae"]\nmethods = ["HS tree", "optimal tree"]\nmetadata = "a=b"\n')
    assert found == {"metric": ["r2", "mae"], "methods": "HS tree,optimal tree", "metadata": "a=b"}


def test_the_file_of_a_run_is_toml_with_its_command(tmp_path):
    text = config_text(GIVEN)
    assert text.startswith(
        "# python -m skpapers compare 'my prices.csv' --target 'größe' --metric r2 --metric pinball:0.9"
    )
    assert tomllib.loads(text)["target"] == "größe"


def test_what_is_not_given_has_its_default():
    options = complete({"target": "y"}, compare_parser())
    assert (options.target, options.task, options.gap, options.metric, options.resume) == ("y", "auto", 0, None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("speed = 3", "unknown key 'speed'; the keys are table, target, task"),
        ("time_column = 'd'", "unknown key 'time_column'; did you mean 'time-column'?"),
        ("config = 'other.toml'", "unknown key 'config'"),
        ("gap = 'two'", "argument --gap: invalid int value: 'two'"),
        ("task = 'ranking'", "argument --task: invalid choice: 'ranking'"),
        ("target = ['a', 'b']", "target takes one value, got a list"),
        ("resume = 1", "resume must be true or false, got 1"),
        ("gap = true", "gap must be text or a number, got True"),
        ("[a]\nb = 1", "unknown key 'a'"),
        ("gap == 3", "is not TOML ("),
    ],
)
def test_errors(tmp_path, text, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read(tmp_path, text)
    assert "c.toml: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        read_config(str(tmp_path), compare_parser())
    (tmp_path / "latin.toml").write_bytes(b"target = '\xe4'")
    with pytest.raises(ValueError, match="is not TOML"):
        read_config(str(tmp_path / "latin.toml"), compare_parser())
