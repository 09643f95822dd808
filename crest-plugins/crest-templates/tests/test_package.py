"""Names of packages: what is taken, and what each refusal says."""

import pytest
from crest_templates import Package

from crest_core import CrestError


def test_the_names_of_module_and_class_follow_from_the_name():
    package = Package("alpine-snow-2")
    assert (package.module, package.class_name) == ("alpine_snow_2", "AlpineSnow2")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My_Model", "expected lower-case words joined by hyphens"),
        ("My_Model", "such as my-model"),
        ("2snow", "such as snow"),
        ("snow--ice", "such as snow-ice"),
        ("../snow", "such as snow"),
        ("", "such as alpine-snow"),
        ("s" * 51, "at most 50 characters"),
        ("lambda", "is a word of Python; add another word, such as lambda-model"),
        ("field-spec", "its class would be called FieldSpec, a name that is in use"),
    ],
)
def test_a_name_that_python_or_pip_would_not_take_is_refused(name, words):
    with pytest.raises(CrestError) as caught:
        Package(name)
    assert words in str(caught.value)


def test_template_and_licence_are_chosen_from_a_list():
    with pytest.raises(CrestError, match=r"template 'tourch' is unknown.*there are: torch, onnx"):
        Package("snow", template="tourch")
    with pytest.raises(CrestError, match="licence 'GPL' is unknown.*there are: Apache-2.0"):
        Package("snow", licence="GPL")


def test_an_author_is_one_line():
    with pytest.raises(CrestError, match="expected one line of at most 200 characters"):
        Package("snow", author="a\nb")


def test_a_name_that_python_knows_already_is_refused():
    with pytest.raises(CrestError, match="Python has a module 'colorsys' already.*such as colorsys-model"):
        Package("colorsys").check_free()
