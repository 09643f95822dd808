"""The commands of `crest` for run files: plan, run and schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from crest_core import CrestError
from crest_run.archive import GoingOn
from crest_run.build import build_graph
from crest_run.errors import RunFileError
from crest_run.execution import execute
from crest_run.plan_figure import draw_plan
from crest_run.runfile import OutputSection, RunFile, load_run
from crest_run.summary import summary
from crest_run.targets import check_target

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_File = Annotated[Path, typer.Argument(metavar="FILE", help="Run file (YAML).")]


def plan(
    file: _File,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print Mermaid text.")] = False,
    draw: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw into this file (needs matplotlib).")] = None,
) -> None:
    """Show the order of a run's components, their connections and how gradients pass.

    \b
    crest plan run.yaml
    crest plan run.yaml --draw plan.png
    crest plan run.yaml --mermaid
    """
    graph = build_graph(load_run(file))
    print(graph.plan().mermaid() if mermaid else f"{graph.plan()}\n\n{graph.gradient_report()}")
    if draw:
        check_target(draw)
        try:
            axes = draw_plan(graph.plan())
        except ImportError as error:
            raise CrestError("--draw needs matplotlib: pip install matplotlib") from error
        try:
            cast("Figure", axes.figure).savefig(draw, dpi=150)
        except ValueError as error:
            raise CrestError(f"--draw {draw}: {error}") from error


def run(
    file: _File,
    output: Annotated[Path | None, typer.Option(metavar="NC", help="Results; overrules output.path.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last cycle of output.store.")] = False,
    cycle: Annotated[int | None, typer.Option("--from", min=1, metavar="CYCLE", help="Go on from this cycle.")] = None,
    branch: Annotated[
        str | None, typer.Option(metavar="NAME", help="Go on in a branch: a new one, or with --resume.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> None:
    """Run a run file and write results, restart and record.

    With --output, restart and record are named after it: those of another output stay. A run with the key output.store
    commits them together at the end of each window (a cycle); killed, it goes on with --resume.

    \b
    crest run run.yaml
    crest run run.yaml --output results.nc --quiet
    crest run run.yaml --resume
    crest run run.yaml --from 12
    crest run wetter.yaml --from 12 --branch wetter
    crest run wetter.yaml --resume --branch wetter
    """
    content = load_run(file)
    if output:
        content = content.model_copy(update={"output": _beside(output, content)})
    path = content.output.store.path if content.output.store else content.output.path
    if path is None:
        raise RunFileError(f"{content.where('output')}: results have no file; add path or store, or --output FILE")
    if branch is not None and not branch.strip():
        raise RunFileError(
            "--branch: expected a name, got an empty text; leave the option out to go on in the run itself"
        )
    if resume and cycle and not branch:
        raise RunFileError("--resume goes on from the last cycle, --from from an earlier one; give one of them")
    going_on = GoingOn(cycle, branch or "main", bool(branch) and not resume)
    results = execute(
        content, going_on=going_on if resume or branch or cycle else None, progress=False if quiet else None
    )
    if not quiet:
        stored = content.output.store is not None
        print(summary(results, path, restart=content.output.restart, record=content.output.record, stored=stored))


def schema() -> None:
    """Print the JSON Schema of run files, for completion and checks in editors.

    \b
    crest schema > run.schema.json
    then, as the first line of run.yaml:
    # yaml-language-server: $schema=run.schema.json
    """
    print(json.dumps(RunFile.model_json_schema(), indent=2))


def _beside(path: Path, content: RunFile) -> OutputSection:
    """Return what a run writes to another path: restart and record are named after it, and replace no others.

    A restart that is continued in place (`resume` is the same file) stays where it is.
    """
    section = content.output
    changes: dict[str, Path | None] = {"path": path, "store": None}
    stays = [kept.resolve() for kept in (content.resume,) if kept]
    if section.path is None or path.resolve() != section.path.resolve():
        for key, own in (("restart", section.restart), ("record", section.record)):
            if own is not None and own.resolve() not in stays:
                changes[key] = path.with_name(f"{path.name.removesuffix('.nc')}.{key}{own.suffix}")
    return section.model_copy(update=changes)
