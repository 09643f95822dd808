"""YAML of strangers: plain values with lines, and nothing that executes, explodes or hides."""

import pytest

from crest_fields.errors import CrestError, UnitError
from crest_fields.plain_yaml import line_of_key, read_plain_yaml


def read(text, error=UnitError):
    content = text if isinstance(text, bytes) else text.encode()
    return read_plain_yaml("a.yaml", content, error=error, where=named, expected="a key")


def named(lines, place):
    return f"a.yaml:{line_of_key(lines, place)}: {'.'.join(map(str, place)) or 'all'}"


def test_words_and_numbers_follow_yaml_1_2_and_dates_stay_text():
    values, _ = read("a: 1e-5\nb: NO\nc: 12:30\nd: 0123\ne: 2001-02-30\nf: true\ng: ~\nh: .inf")
    assert list(values.values()) == [1e-5, "NO", "12:30", "0123", "2001-02-30", True, None, float("inf")]


def test_every_key_and_item_has_its_line():
    _, lines = read("a:\n  b: 1\n  c:\n    - x\n    - y\n")
    assert lines == {(): 1, ("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 0): 4, ("a", "c", 1): 5}
    assert line_of_key(lines, ("a", "c", 7)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: the file is empty; expected a key"),
        ("a: 1\na: 2", "a.yaml:2: a: the key appears twice, first in line 1; keep one"),
        ("a: &x 1\nb: *x", "a.yaml:2: b: YAML aliases .* are not read; write the values out"),
        ("a: !!python/object/apply:os.getcwd []", "a.yaml:1: a: the tag .* is not read; write a plain value"),
        ("? [a, b]\n: 1", "a.yaml:1: all: expected a word as the key in line 1"),
        ('a: "\\e[2J"', r"a.yaml:1: a: the text holds the control character U\+001B; take it out"),
        ("a: {", "a.yaml:1: not valid YAML: "),
        (b"a: \xff", "a.yaml: not a YAML text file: "),
        ("[" * 5000, "a.yaml: not a YAML text file: its values are nested too deep"),
        (f"a: {'9' * 5000}", "a.yaml:1: a: not a value: Exceeds the limit"),
    ],
)
def test_a_fault_names_file_line_and_key_in_the_error_of_the_caller(text, message):
    with pytest.raises(UnitError, match=f"^{message}"):
        read(text)
    with pytest.raises(CrestError) as caught:
        read(text, CrestError)
    assert type(caught.value) is CrestError
