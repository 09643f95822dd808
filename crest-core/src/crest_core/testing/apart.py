"""Apart: run the conformance suite in a process of its own, which the component may end or print from as it likes."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TextIO

from crest_core.errors import ComponentError
from crest_core.plugins import switched_on
from crest_core.testing.records import FAIL, SKIPPED, Check, Result
from crest_core.testing.report import Report
from crest_fields.errors import CrestError

Watch = Callable[[Result], None]
Run = Callable[[Watch], object]
"""Runs the suite and tells each result; raises CrestError or OSError where it cannot."""


def results_apart(run: Run, checks: Sequence[Check], title: str, seed: int, *, bar: Callable[[], Watch]) -> Report:
    """Return the report of a suite that runs in a forked child, whose standard output goes to standard error.

    Where the child ends before the suite does, the check that ran has failed and the rest is skipped. `bar` is begun
    after the fork, as it may start a thread. Without `fork` (Windows) the suite runs in this process.
    """
    results: list[Result] = []
    if os.name != "posix":
        watch = bar()

        def keep(result: Result) -> None:
            results.append(result)
            watch(result)

        run(keep)
        return Report(title, tuple(results), seed)
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.close(reading)
        _run_in_child(run, writing)
    os.close(writing)
    watch, by_id, ended = bar(), {check.id: check for check in checks}, False
    with open(reading, encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):  # cut off when the child ended
                break
            told = json.loads(line)
            if "id" not in told:
                ended = True
                break
            results.append(Result(by_id[told["id"]], told["outcome"], told["text"], told["seconds"], told["remedy"]))
            watch(results[-1])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not ended:
        results += _cut_off(checks[len(results) :], status)
    elif told["error"]:
        raise (ComponentError if told["failed"] else CrestError)(told["error"])
    return Report(title, tuple(results), seed)


def _run_in_child(run: Run, writing: int) -> None:
    """Run the suite, tell each result as a line of JSON and at last how it ended; never returns."""
    status, lines = 1, open(writing, "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    try:
        os.dup2(2, 1)  # standard output belongs to the report
        try:
            run(lambda result: _tell(lines, _row(result)))
            _tell(lines, {"error": ""})
        except (CrestError, OSError) as error:
            if switched_on("CREST_TRACEBACK"):
                traceback.print_exc()
            _tell(lines, {"error": str(error), "failed": isinstance(error, ComponentError | OSError)})
        status = 0
    except BaseException:  # told on standard error; without a last line the parent knows
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _row(result: Result) -> dict[str, object]:
    return {
        "id": result.check.id, "outcome": result.outcome, "text": result.text, "seconds": result.seconds,
        "remedy": result.remedy,
    }  # fmt: skip


def _tell(lines: TextIO, what: dict[str, object]) -> None:
    print(json.dumps(what), file=lines, flush=True)


def _cut_off(checks: Sequence[Check], status: int) -> list[Result]:
    """Return the failure of the check that ran when the process ended, and the rest as skipped."""
    how = f"with status {status}" if status >= 0 else f"by signal {-status}"
    text = f"the process ended {how} while this check ran (or the component was imported); return, or raise an error"
    first, rest = checks[:1], checks[1:]
    return [Result(check, FAIL, text) for check in first] + [
        Result(check, SKIPPED, "the process had ended") for check in rest
    ]
