"""Processes: several that train one model together, each on its share of every batch; torchrun starts them.

All have the same parameters and the same order of samples. What is summed over them is the same in all, so that they
take the same step. Li et al. (2020), doi:10.14778/3415478.3415530, with one sum a batch.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch import distributed as group

from crest_core import CrestError

_FURTHER = 0x9E3779B97F4A7C15  # between the seeds of processes: their dropout is not the same


@dataclass(frozen=True)
class Processes:
    """This process, by its number, and how many there are.

    >>> Processes().total(torch.tensor([2.0]))
    tensor([2.])
    """

    number: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """True for the one that writes."""
        return self.number == 0

    @property
    def share(self) -> tuple[int, int]:
        """Number and count, as a loader of samples takes them."""
        return self.number, self.count

    def seed(self, seed: int) -> int:
        """Return a seed for what each process draws for itself; the first has the one that is given."""
        return (seed + self.number * _FURTHER) % 2**63

    def total(self, value: Tensor) -> Tensor:
        """Return the sum over all processes."""
        if self.count == 1:
            return value
        summed = value.detach().clone()
        group.all_reduce(summed)
        return summed

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Put the sum over all processes in the place of each gradient; one that no process has stays None."""
        if self.count == 1:
            return
        there = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float64)
        kept = self.total(there) > 0
        chosen = [p for p, one in zip(parameters, kept.tolist(), strict=True) if one]
        flat = [torch.zeros_like(p) if p.grad is None else p.grad for p in chosen]
        summed = self.total(torch.cat([one.reshape(-1).double() for one in flat]))
        for parameter, value in zip(chosen, summed.split([one.numel() for one in flat]), strict=True):
            parameter.grad = value.reshape(parameter.shape).to(parameter)

    def agree(self, module: nn.Module) -> None:
        """Give parameters and buffers of the first process to all."""
        if self.count > 1:
            for value in module.state_dict().values():
                group.broadcast(value, 0)

    def gathered(self, state: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
        """Return the tensors of each process, of equal shapes."""
        if self.count == 1:
            return [state]
        found: list[dict[str, Tensor]] = [{} for _ in range(self.count)]
        for name, value in state.items():
            every = [torch.empty_like(value) for _ in range(self.count)]
            group.all_gather(every, value)
            for one, theirs in zip(found, every, strict=True):
                one[name] = theirs
        return list(found)


def present_processes() -> Processes:
    """Return the processes that were joined, or this one alone."""
    if not (group.is_available() and group.is_initialized()):
        return Processes()
    return Processes(group.get_rank(), group.get_world_size())


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that torchrun has started on this machine, by gloo on its loopback; else this one is alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or group.is_initialized():
        yield present_processes()
        return
    if int(os.environ.get("LOCAL_WORLD_SIZE", count)) != count:
        raise CrestError(
            f"training: {count} processes on several machines; expected all on one, as torchrun --nproc-per-node "
            f"{count} starts them"
        )
    os.environ.setdefault("GLOO_SOCKET_IFNAME", _loopback())
    group.init_process_group("gloo")
    try:
        yield present_processes()
    finally:
        group.destroy_process_group()


def _loopback() -> str:
    """Return the name of the loopback interface, lo or lo0."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")
