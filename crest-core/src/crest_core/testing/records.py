"""Records of the conformance suite: a check, what it found, and the result that a report shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crest_core.testing.subject import Subject

PASS, WARN, FAIL, NOTE = "pass", "warn", "fail", "note"
NOT_APPLICABLE, EXPECTED, SKIPPED = "not applicable", "expected failure", "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: an outcome and the words for it."""

    outcome: str
    text: str = ""

    @property
    def failed(self) -> bool:
        """True if the component breaks the rule."""
        return self.outcome == FAIL


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: an id "stage.name", the function that looks, why the rule is there, and how to keep it.

    `opaque_fix` says how where torch does not see the code, "" where that makes no difference.
    """

    id: str
    look: Callable[[Subject], Finding]
    reason: str
    fix: str
    opaque_fix: str = ""

    @property
    def stage(self) -> str:
        """The word before the dot of the id."""
        return self.id.partition(".")[0]

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Result:
    """What a check said of a component; `text` says what was seen, or why it was not looked.

    `remedy` says how to keep the rule where that is not the fix of the check.
    """

    check: Check
    outcome: str
    text: str
    seconds: float = 0.0
    remedy: str = ""

    @property
    def fix(self) -> str:
        """How to keep the rule."""
        return self.remedy or self.check.fix

    @property
    def failed(self) -> bool:
        """True if the component does not conform, an expected failure that passes among it."""
        return self.outcome == FAIL

    def __str__(self) -> str:
        if self.outcome == NOTE:
            return f"{self.check.id}: {self.text}"
        return f"{self.check.id}: {self.text}. Why: {self.check.reason}. Fix: {self.fix}."


def passed(text: str = "") -> Finding:
    """Return that the rule is kept."""
    return Finding(PASS, text)


def warned(text: str) -> Finding:
    """Return that something is allowed, but should be looked at."""
    return Finding(WARN, text)


def failed(text: str) -> Finding:
    """Return that the rule is broken."""
    return Finding(FAIL, text)


def noted(text: str) -> Finding:
    """Return that nothing is claimed, and what was seen all the same; shown in any case."""
    return Finding(NOTE, text)


def not_applicable(why: str) -> Finding:
    """Return that the rule has nothing to say here, with the argument."""
    return Finding(NOT_APPLICABLE, why)


def verdict(problems: list[str], note: str = "") -> Finding:
    """Return a failure with all problems, or that the rule is kept."""
    return failed("; ".join(problems)) if problems else passed(note)


def doubts(problems: list[str], note: str = "") -> Finding:
    """Return a warning with all doubts, or that the rule is kept."""
    return warned("; ".join(problems)) if problems else passed(note)
