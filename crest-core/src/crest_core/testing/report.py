"""Report: what the conformance suite says of one component, as a table, as JSON and as an exit status."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from rich.table import Column, Table

from crest_core.testing.records import EXPECTED, FAIL, NOT_APPLICABLE, NOTE, PASS, SKIPPED, WARN, Result

_STYLES = {
    PASS: "green", WARN: "yellow", FAIL: "bold red", EXPECTED: "yellow", NOTE: "cyan", SKIPPED: "dim",
    NOT_APPLICABLE: "dim",
}  # fmt: skip


@dataclass(frozen=True)
class Report:
    """The results of all checks of one component, in order; `seed` repeats them."""

    component: str
    results: tuple[Result, ...]
    seed: int

    @property
    def ok(self) -> bool:
        """True if nothing failed that was not expected, and nothing passed that was expected to fail."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results that make the component not conform."""
        return tuple(result for result in self.results if result.failed)

    def ids(self, outcome: str) -> list[str]:
        """Return the ids of the checks with an outcome, such as "fail" or "warn"."""
        return [result.check.id for result in self.results if result.outcome == outcome]

    def summary(self) -> str:
        """Return a line that counts the outcomes."""
        counts = Counter(result.outcome for result in self.results)
        words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in _STYLES if counts[outcome])
        seconds = sum(result.seconds for result in self.results)
        return f"{self.component}: {words} ({len(self.results)} checks, {seconds:.1f} s, seed {self.seed})"

    def table(self, *, verbose: bool = False) -> Table:
        """Return a rich table: what passed is a line, what did not says why the rule is there and how to keep it."""
        table = Table(
            "check", Column("outcome", no_wrap=True), Column("what was seen", overflow="fold", ratio=1), box=None,
            pad_edge=False, title=self.summary(), title_justify="left", title_style="bold",
        )  # fmt: skip
        for result in self.results:
            if result.outcome in (PASS, NOT_APPLICABLE, SKIPPED) and not verbose:
                continue
            advice = result.outcome in (FAIL, WARN)
            text = result.text + (f"\nwhy: {result.check.reason}\nfix: {result.fix}" if advice else "")
            table.add_row(result.check.id, result.outcome, text, style=_STYLES[result.outcome])
        return table

    def to_json(self) -> str:
        """Return everything as JSON: component, ok, seed, and a list of results."""
        rows = [
            {
                "id": result.check.id,
                "stage": result.check.stage,
                "outcome": result.outcome,
                "text": result.text,
                "reason": result.check.reason,
                "fix": result.fix,
                "seconds": round(result.seconds, 4),
            }
            for result in self.results
        ]
        return json.dumps({"component": self.component, "ok": self.ok, "seed": self.seed, "results": rows}, indent=2)

    def assert_ok(self) -> None:
        """Raise AssertionError that lists every failure, where there is one."""
        if self.failures:
            lines = "\n".join(f"  {result}" for result in self.failures)
            raise AssertionError(f"{self.summary()}\n{lines}")

    def __str__(self) -> str:
        lines = [f"  {result}" for result in self.results if result.outcome in (FAIL, WARN, EXPECTED, NOTE)]
        return "\n".join([self.summary(), *lines])
