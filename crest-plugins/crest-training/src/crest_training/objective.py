"""Objective: one stream of observations, and how what is simulated is scored against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from crest_core import Component, ForcingError
from crest_training.losses import Likelihood, Loss, mse


@dataclass(frozen=True, eq=False)
class Objective:
    """Loss and weight of one output against the target of the same name, or of the name `target`.

    `transform` is applied to simulated and observed values first, `scale` divides their differences in that space: a
    number, or one for each place (place,). A Likelihood takes the outputs `<output>_<part>`, and neither of the two.

    >>> Objective("runoff", mse, weight=2.0).observed
    'runoff'
    """

    output: str
    loss: Loss | Likelihood = mse
    target: str = ""
    weight: float = 1.0
    transform: Callable[[Tensor], Tensor] | None = None
    scale: Tensor | float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.weight < inf:
            raise ForcingError(
                f"objective {self.output}: weight {self.weight}, expected a finite number above 0; leave out a "
                f"stream that does not count"
            )
        if isinstance(self.loss, Likelihood) and (self.transform is not None or self.scale is not None):
            raise ForcingError(
                f"objective {self.output}: a likelihood is in the units of the observations; leave out transform and "
                f"scale, or let the head give parameters of the transformed values and transform the targets"
            )

    @property
    def observed(self) -> str:
        """Name of the target."""
        return self.target or self.output

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that are scored."""
        return self.loss.outputs(self.output) if isinstance(self.loss, Likelihood) else (self.output,)

    def value(self, simulated: Mapping[str, Tensor], observed: Tensor, place: Tensor) -> Tensor:
        """Return the loss of outputs (time, sample, ...) against observations of the same steps."""
        values = [simulated[name] for name in self.outputs]
        if isinstance(self.loss, Likelihood):
            return self.loss.function(*values, observed)
        if self.transform is not None:
            values, observed = [self.transform(value.to(observed.dtype)) for value in values], self.transform(observed)
        return self.loss(values[0], observed, self._scale(observed, place))

    def _scale(self, observed: Tensor, place: Tensor) -> Tensor | float | None:
        """Return the scale of each sample, (sample, 1, ...), or the number."""
        if not isinstance(self.scale, Tensor) or self.scale.dim() == 0:
            return self.scale
        chosen = self.scale.index_select(0, place.to(self.scale.device))
        return chosen.reshape(-1, *[1] * (observed.dim() - 2)).to(observed)


def check_objectives(model: Component, objectives: Sequence[Objective]) -> None:
    """Raise ForcingError where there is no objective, or an output that the model lacks."""
    if not objectives:
        raise ForcingError("train: there is no objective; give at least one Objective(output, loss)")
    known = [spec.name for spec in model.outputs]
    for one in objectives:
        if lacking := [name for name in one.outputs if name not in known]:
            raise ForcingError(
                f"objective {one.output}: the model has no output {', '.join(lacking)}; outputs: {', '.join(known)}"
            )


def weighted(objectives: Sequence[Objective], values: Sequence[Tensor]) -> Tensor:
    """Return the mean of the losses by the objectives' weights."""
    total = sum(one.weight for one in objectives)
    return torch.stack([one.weight / total * value for one, value in zip(objectives, values, strict=True)]).sum()
