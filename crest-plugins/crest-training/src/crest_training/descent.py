"""Descent: steps of Adam with rates of their own for physical parameters and networks."""

from __future__ import annotations

from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import Component, GradientError, PhysicalParameters


class Descent:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) on physical parameters and network weights.

    Each kind has a learning rate of its own, which falls to `final_rate` of itself along a cosine over `epochs`
    steps. The norm of the gradient is clipped at `clip`.
    """

    def __init__(
        self,
        model: Component,
        physical_rate: float,
        network_rate: float,
        *,
        final_rate: float,
        clip: float,
        epochs: int,
    ) -> None:
        self.model, self.clip = model, clip
        self._optimiser = torch.optim.Adam(_groups(model, physical_rate, network_rate))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda i: final_rate + (1 - final_rate) * (1 + cos(pi * i / epochs)) / 2
        )

    def step(self, loss: Tensor, epoch: int) -> None:
        """Change the parameters against the gradient of the loss; GradientError where it is not finite."""
        self._optimiser.zero_grad()
        loss.backward()
        _check_gradients(self.model, epoch)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self._optimiser.step()
        self._schedule.step()


def _groups(model: Component, physical_rate: float, network_rate: float) -> list[dict[str, Any]]:
    """Return parameter groups for Adam: physical parameters and network weights."""
    holders = [child for child in model.modules() if isinstance(child, PhysicalParameters)]
    physical = {id(p): p for holder in holders for p in holder.parameters() if p.requires_grad}
    network = [p for p in model.parameters() if p.requires_grad and id(p) not in physical]
    groups = [{"params": list(physical.values()), "lr": physical_rate}, {"params": network, "lr": network_rate}]
    if not physical and not network:
        raise GradientError("fit: the graph has no trainable parameter; expected at least one")
    return [group for group in groups if group["params"]]


def _check_gradients(model: Component, epoch: int) -> None:
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
            raise GradientError(
                f"fit: the gradient of {name} is not finite in epoch {epoch}; look at its component with "
                f"gradient_report(), or lower the learning rates"
            )
