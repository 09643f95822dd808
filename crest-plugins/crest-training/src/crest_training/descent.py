"""Descent: steps of Adam or AdamW with rates of their own for physical parameters and networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from crest_core import Component, GradientError, PhysicalParameters
from crest_training.schedule import Schedule


@dataclass(frozen=True)
class Optimiser:
    """Method, learning rates, clipping of the gradient's norm and schedule.

    Adam: Kingma and Ba (2015), arXiv:1412.6980; AdamW, with decay of network weights but not of physical parameters:
    Loshchilov and Hutter (2019), arXiv:1711.05101. `clip` None clips nothing.

    >>> Optimiser(network_rate=1e-3, schedule=Schedule("cosine")).method
    'adam'
    """

    method: Literal["adam", "adamw"] = "adam"
    network_rate: float = 1e-3
    physical_rate: float = 1e-2
    weight_decay: float = 0.0
    clip: float | None = 1.0
    schedule: Schedule = Schedule()

    def __post_init__(self) -> None:
        rates = min(self.network_rate, self.physical_rate) > 0 and self.weight_decay >= 0
        decay = self.method == "adamw" or self.weight_decay == 0
        if self.method not in ("adam", "adamw") or not rates or not decay or (self.clip is not None and self.clip <= 0):
            raise GradientError(
                f"{self}: expected adam or adamw, rates and clip above 0, and a weight_decay of 0 or more with adamw "
                f"alone"
            )


class Descent:
    """Changes the parameters of a model against their gradients; `who` begins its messages."""

    def __init__(self, model: Component, optimiser: Optimiser, epochs: int, *, who: str) -> None:
        self.model, self.optimiser, self.epochs, self.who = model, optimiser, epochs, who
        groups = _groups(model, optimiser, who)
        kind = torch.optim.AdamW if optimiser.method == "adamw" else torch.optim.Adam
        self._torch: torch.optim.Optimizer = kind(groups)
        self._rates = [group["lr"] for group in groups]
        self.parameters: list[nn.Parameter] = [p for group in groups for p in group["params"]]

    def clear(self) -> None:
        """Forget the gradients of the last step."""
        self._torch.zero_grad()

    def step(self, epochs_done: float) -> None:
        """Take one step against the gradients that are there; GradientError where one is not finite.

        `epochs_done` is how far training was before it, which the schedule asks for.
        """
        norm = nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        if not bool(torch.isfinite(norm)):
            self._check_gradients(int(epochs_done) + 1)
        if self.optimiser.clip is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.optimiser.clip, norm)
        for group, rate in zip(self._torch.param_groups, self._rates, strict=True):
            group["lr"] = rate * self.optimiser.schedule.at_epoch(epochs_done, self.epochs)
        self._torch.step()

    def rates(self, epochs_done: float) -> dict[str, float]:
        """Return the learning rates by the kind of parameter."""
        factor = self.optimiser.schedule.at_epoch(epochs_done, self.epochs)
        return {"network": self.optimiser.network_rate * factor, "physical": self.optimiser.physical_rate * factor}

    def state(self) -> dict[str, Tensor]:
        """Return the memory of the optimiser as tensors, by the number of the parameter."""
        kept = self._torch.state_dict()["state"]
        return {f"{number}.{name}": value for number, one in kept.items() for name, value in one.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a state."""
        own = self._torch.state_dict()
        kept: dict[int, dict[str, Any]] = {}
        for key, value in state.items():
            number, _, name = key.partition(".")
            kept.setdefault(int(number), {})[name] = value
        self._torch.load_state_dict({**own, "state": kept})

    def _check_gradients(self, epoch: int) -> None:
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
                raise GradientError(
                    f"{self.who}: the gradient of {name} is not finite in epoch {epoch}; look at its component with "
                    f"gradient_report(), or lower the learning rates"
                )
        raise GradientError(
            f"{self.who}: the gradients of epoch {epoch} are too large for their number type; lower the learning "
            f"rates, or scale inputs and outputs"
        )


def _groups(model: Component, optimiser: Optimiser, who: str) -> list[dict[str, Any]]:
    """Return parameter groups: physical parameters and network weights."""
    holders = [child for child in model.modules() if isinstance(child, PhysicalParameters)]
    physical = {id(p): p for holder in holders for p in holder.parameters() if p.requires_grad}
    network = [p for p in model.parameters() if p.requires_grad and id(p) not in physical]
    if not physical and not network:
        raise GradientError(f"{who}: the graph has no trainable parameter; expected at least one")
    decay = {"weight_decay": optimiser.weight_decay} if optimiser.method == "adamw" else {}
    groups = [
        {"params": list(physical.values()), "lr": optimiser.physical_rate, **({"weight_decay": 0.0} if decay else {})},
        {"params": network, "lr": optimiser.network_rate, **decay},
    ]
    return [group for group in groups if group["params"]]
