"""Window: which steps a sample holds, and which of them are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crest_samples.errors import SampleError


@dataclass(frozen=True)
class Window:
    """The steps of one sample: `spin_up` steps that are run and not scored, then `steps`.

    `targets` says which of the `steps` have targets: "all" (sequence to sequence), "last" (sequence to one), or how
    many of the last. An image is a window of one step over a source with a patch, an image series one of several.

    >>> Window(365, targets="last").scored, Window(90, spin_up=365).length
    (1, 455)
    """

    steps: int
    spin_up: int = 0
    targets: Literal["all", "last"] | int = "all"

    def __post_init__(self) -> None:
        numbers = {"all": self.steps, "last": 1}
        scored = numbers.get(self.targets, self.targets) if isinstance(self.targets, str) else self.targets
        whole = isinstance(self.steps, int) and isinstance(self.spin_up, int)
        if (
            not whole
            or self.steps < 1
            or self.spin_up < 0
            or not isinstance(scored, int)
            or not 1 <= scored <= self.steps
        ):
            raise SampleError(
                f"window: steps {self.steps!r}, spin_up {self.spin_up!r}, targets {self.targets!r}; expected 1 or more "
                f"steps, a spin-up of 0 or more, and targets 'all', 'last' or a number from 1 to steps"
            )

    @property
    def length(self) -> int:
        """Number of steps that inputs have."""
        return self.spin_up + self.steps

    @property
    def scored(self) -> int:
        """Number of steps, the last ones, that targets have."""
        return {"all": self.steps, "last": 1}[self.targets] if isinstance(self.targets, str) else self.targets
