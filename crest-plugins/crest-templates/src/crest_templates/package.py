"""Package: the names of a package that is to be rendered, checked before anything is written."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

import crest_core
from crest_core import CrestError
from crest_core.plugins import near, registry
from crest_templates.choices import LICENCES, TEMPLATES

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 50
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Package:
    """What is rendered: name, template, licence, author; CrestError says what is wrong with one of them.

    >>> package = Package("alpine-snow")
    >>> package.module, package.class_name
    ('alpine_snow', 'AlpineSnow')
    """

    name: str
    template: str = "torch"
    licence: str = "Apache-2.0"
    author: str = ""

    def __post_init__(self) -> None:
        _check_name(self.name)
        _check_choice("template", self.template, TEMPLATES)
        _check_choice("licence", self.licence, LICENCES)
        if _UNPRINTABLE.search(self.author) or len(self.author) > 200:
            raise CrestError(f"author {self.author!r}: expected one line of at most 200 characters, such as a name")
        taken = {*dir(crest_core), *dir(builtins), "Any", "Path"}
        if self.class_name in taken:
            raise CrestError(
                f"name {self.name!r}: its class would be called {self.class_name}, a name that is in use; "
                f"add a word, such as {self.name}-model"
            )

    @property
    def module(self) -> str:
        """The name that Python imports."""
        return self.name.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The name of the component's class, where there is one."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    def check_free(self) -> None:
        """Raise CrestError where a component, or something that Python imports, has the name already."""
        for entry in registry().of_kind("components"):
            if entry.name == self.name:
                raise CrestError(
                    f"name {self.name!r}: the package {entry.distribution} {entry.version} registers a component of "
                    f"this name; take another, or: pip uninstall {entry.distribution}"
                )
        if find_spec(self.module) is not None:
            raise CrestError(
                f"name {self.name!r}: Python has a module {self.module!r} already, which one of the two would hide; "
                f"take another, such as {self.name}-model"
            )


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower())
        better = re.sub(r"^[0-9-]+", "", "-".join(words))[:_LONGEST].strip("-")
        raise CrestError(
            f"name {name!r}: expected lower-case words joined by hyphens, beginning with a letter, at most "
            f"{_LONGEST} characters{f', such as {better}' if better else ', such as alpine-snow'}"
        )
    if keyword.iskeyword(name.replace("-", "_")):
        raise CrestError(f"name {name!r} is a word of Python; add another word, such as {name}-model")


def _check_choice(what: str, given: str, known: Iterable[str]) -> None:
    names = list(known)
    if given not in names:
        raise CrestError(f"{what} {given!r} is unknown{near(given, names)}; there are: {', '.join(names)}")
