"""The command `crest new`: asks what it does not know on a terminal, and takes defaults elsewhere."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Annotated

import typer

from crest_core.plugins import near
from crest_templates.choices import LICENCES, TEMPLATES
from crest_templates.package import Package
from crest_templates.rendering import render

_LIST = "\n".join(f"{name:<13} {template.model}" for name, template in TEMPLATES.items())


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of package and component, such as alpine-snow.")],
    template: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help=f"{', '.join(TEMPLATES)}. By default torch.")
    ] = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where the new folder is made.")] = Path("."),
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence", "--license", metavar="LICENCE", help=f"{', '.join(LICENCES)}. By default Apache-2.0."
        ),
    ] = None,
    author: Annotated[str | None, typer.Option(metavar="AUTHOR", help="For metadata and licence.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, take the defaults.")] = False,
) -> None:
    """Make a package for a component of your own: code, tests, README, licence, CI. It is green before you edit it.

    \b
    crest new my-model && pip install -e my-model && crest check my-model
    crest new my-model --template fortran && pip install ./my-model
    crest new river --template onnx --licence MIT --output ~/models --yes

    Each template is a small model that works; put yours in its place, file by file. On a terminal you are asked for
    what you leave out. Nothing that exists is overwritten.

    \b
    """
    asking = not yes and sys.stdin.isatty()
    Package(name)  # wrong names are told before anything is asked
    if asking and template is None:
        typer.echo(_LIST)
    package = Package(
        name,
        template=_answer(template, asking, "template", "torch", tuple(TEMPLATES)),
        licence=_answer(licence, asking, "licence", "Apache-2.0", LICENCES),
        author=_answer(author, asking, "author", f"The authors of {name}"),
    )
    folder = render(package, output)
    typer.echo(_next_steps(folder, package))


new.__doc__ = f"{cleandoc(new.__doc__ or '')}\n{_LIST}"


def _answer(given: str | None, asking: bool, what: str, default: str, choices: Sequence[str] = ()) -> str:
    """Return what the option says, else what the user answers, else the default."""
    if given is not None or not asking:
        return default if given is None else given

    def checked(answer: str) -> str:
        if choices and answer not in choices:
            raise typer.BadParameter(f"{answer!r} is unknown{near(answer, choices)}; there are: {', '.join(choices)}")
        return answer

    return str(typer.prompt(what, default=default, value_proc=checked))


def _next_steps(folder: Path, package: Package) -> str:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    edit = TEMPLATES[package.template].edit
    place = shlex.quote(f"./{folder}" if not folder.is_absolute() else str(folder))
    install = "pip install" if package.template == "fortran" else "pip install -e"
    return "\n".join(
        [
            f"{folder}: {TEMPLATES[package.template].model}",
            *(f"  {file}{'   <- your model goes here' if file.endswith(f'/{edit}') else ''}" for file in files),
            "",
            "next:",
            f"  {install} {place}",
            f"  crest check {package.name}",
            f"  pytest {place}",
        ]
    )
