"""Stage citizen: a component leaves the process that it runs in as it found it."""

from __future__ import annotations

import gc
import io
import os
import tempfile
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from time import monotonic, sleep

import torch

from crest_core.testing import surroundings as around
from crest_core.testing.records import Check, Finding, doubts, failed, not_applicable, passed, verdict
from crest_core.testing.subject import Subject, run, run_steps

PATIENCE = 0.5  # s in which threads and processes of a component that is gone may end


@dataclass(frozen=True)
class Traces:
    """What a component left behind that was built, run and deleted."""

    changes: dict[str, str]
    files: list[str]
    printed: str
    descriptors: int | None
    helpers: list[str]


def _traces(subject: Subject) -> Traces:
    """Return what a component left behind; it is run once for all checks."""
    if "traces" not in subject.notes:
        subject.notes["traces"] = _watched(subject)
    found: Traces = subject.notes["traces"]
    return found


def _watched(subject: Subject) -> Traces:
    """Build, start, step and run a component in an empty folder, and see what differs after it is gone."""
    with around.undisturbed():
        _use(subject)  # what is loaded on first use is no trace
    out = io.StringIO()
    opened, others = around.descriptors(), around.helpers()
    with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(out), redirect_stderr(out):
        before = around.look()
        _use(subject)
        changed = around.changes(before, around.look())
        os.chdir(folder)
        files = sorted(os.listdir(folder))
    end = monotonic() + PATIENCE
    if around.helpers() - others:
        gc.collect()  # takes longer than all else, and mostly nothing is left
    while (left := around.helpers() - others) and monotonic() < end:
        sleep(0.02)
    now = around.descriptors()
    if now is not None and opened is not None and now > opened:
        gc.collect()
        now = around.descriptors()
    more = None if now is None or opened is None else now - opened
    return Traces(changed, files, out.getvalue(), more, sorted(left))


def _use(subject: Subject) -> None:
    with around.undisturbed():
        case = subject.case(4)  # made by the shared component, outside of what is watched
    component = subject.fresh()
    component.initial_state(case.sizes)
    run(component, case)
    run_steps(component, case)


def _unchanged(kind: str) -> Callable[[Subject], Finding]:
    def look(subject: Subject) -> Finding:
        changes = _traces(subject).changes
        return failed(changes[kind]) if kind in changes else passed()

    look.__doc__ = f"Compare {kind} before and after a run."
    return look


def writes_nothing(subject: Subject) -> Finding:
    """Look into the folder in which it ran."""
    files = _traces(subject).files
    return verdict([f"it wrote {', '.join(files)} into the working folder"] if files else [])


def quiet(subject: Subject) -> Finding:
    """Look at what it printed."""
    printed = _traces(subject).printed.strip()
    return doubts([f"it printed {printed[:80]!r}"] if printed else [])


def closes_files(subject: Subject) -> Finding:
    """Count files, pipes and sockets before it was built and after it was deleted."""
    more = _traces(subject).descriptors
    if more is None:
        return not_applicable("this system does not tell which files are open")
    return verdict([f"{more} files, pipes or sockets stay open"] if more > 0 else [])


def ends_threads(subject: Subject) -> Finding:
    """Look for threads and processes that stay."""
    left = _traces(subject).helpers
    return verdict([f"{', '.join(left)} still running after it was deleted"] if left else [])


def gradient_mode(subject: Subject) -> Finding:
    """Look whether gradients are still on after a run in which they were on."""
    case, component = subject.case(2), subject.fresh()
    with torch.enable_grad():
        component.sequence(dict(case.state), dict(case.inputs), case.times)
        return passed() if torch.is_grad_enabled() else failed("gradients are switched off after a run")


CHECKS = (
    Check("citizen.random-streams", _unchanged(around.RANDOM), "others' results must not depend on who ran before",
          "draw from a torch.Generator that is handed in"),
    Check("citizen.torch-threads", _unchanged(around.THREADS), "whoever starts the run decides on threads",
          "do not call torch.set_num_threads"),
    Check("citizen.torch-defaults", _unchanged(around.DEFAULTS), "new tensors of others would change their type",
          "give dtype= and device= to each tensor"),
    Check("citizen.gradient-mode", gradient_mode, "components that run later would have no gradient",
          "use torch.no_grad() as a context, not set_grad_enabled"),
    Check("citizen.signal-handlers", _unchanged(around.SIGNALS), "Ctrl-C and a scheduler's signals belong to the run",
          "install no handler"),
    Check("citizen.warnings-filters", _unchanged(around.FILTERS), "others' warnings would be hidden",
          "use warnings.catch_warnings() as a context"),
    Check("citizen.working-folder", _unchanged(around.FOLDER), "others open files by relative paths",
          "use absolute paths"),
    Check("citizen.environment", _unchanged(around.ENVIRONMENT), "others read it, and child processes inherit it",
          "hand settings over as arguments"),
    Check("citizen.number-handling", _unchanged(around.NUMBERS), "others' sums, errors and dates would change",
          "use np.errstate() as a context; leave denormals and locale alone"),
    Check("citizen.interpreter", _unchanged(around.INTERPRETER), "others import and report errors through it",
          "leave sys.path, hooks and limits alone"),
    Check("citizen.writes-nothing", writes_nothing, "runs beside each other would overwrite it",
          "return what is to be kept; use tempfile for scratch"),
    Check("citizen.quiet", quiet, "standard output belongs to whoever reads the run's results",
          "use the module logging"),
    Check("citizen.open-files", closes_files, "a long run uses up its file descriptors", "open files in a with block"),
    Check("citizen.threads", ends_threads, "threads and processes that stay keep the run from ending",
          "end them when the component is deleted, or in step itself"),
)  # fmt: skip
