"""LSTM, GRU and RNN in both directions, with initial states; by torch's fused kernels where they compute the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from crest_onnx.operators import cells
from crest_onnx.operators.node import Node, Operator
from crest_onnx.operators.shapes import turned

_REVERSED = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}  # gates of torch among those of ONNX: iofc, zrh, i


@dataclass(frozen=True)
class _Direction:
    """What one direction reads: weights (gates * hidden, .), biases, peepholes, and its place among the directions."""

    w: Tensor
    r: Tensor
    wb: Tensor
    rb: Tensor
    peepholes: Tensor | None
    index: int


def _lstm(
    node: Node, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    h0: Tensor | None = None, c0: Tensor | None = None, p: Tensor | None = None,
) -> Sequence[Tensor]:  # fmt: skip
    return _layer(node, x, w, r, b, lengths, (h0, c0), p)


def _single(
    node: Node, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, lengths: Tensor | None = None,
    h0: Tensor | None = None,
) -> Sequence[Tensor]:  # fmt: skip
    return _layer(node, x, w, r, b, lengths, (h0,), None)


def _layer(
    node: Node, x: Tensor, w: Tensor, r: Tensor, b: Tensor | None, lengths: Tensor | None,
    initial: Sequence[Tensor | None], peepholes: Tensor | None,
) -> Sequence[Tensor]:  # fmt: skip
    """Return Y (time, directions, batch, hidden) and the last states (directions, batch, hidden), or by layout."""
    batch_first = bool(node.get("layout", 0))
    x = x.transpose(0, 1) if batch_first else x
    hidden, flips = r.shape[-1], _REVERSED[node.get("direction", "forward")]
    b = torch.zeros(len(flips), 2 * w.shape[1], dtype=w.dtype, device=w.device) if b is None else b
    zeros = torch.zeros(len(flips), x.shape[1], hidden, dtype=x.dtype, device=x.device)
    starts = [zeros if one is None else one.transpose(0, 1) if batch_first else one for one in initial]
    if lengths is not None and bool((lengths == len(x)).all()):
        lengths = None
    run = _fused if lengths is None and peepholes is None and cells.is_standard(node) else _looped
    found = []
    for index, flip in enumerate(flips):
        wb, rb = b[index].chunk(2)
        one = _Direction(w[index], r[index], wb, rb, None if peepholes is None else peepholes[index], index)
        turn = _turn(lengths) if flip else _same
        features, *last = run(node, turn(x), one, [state[index] for state in starts], lengths)
        found.append((turn(features), *last))
    y, *ends = zip(*found, strict=True)
    results = [torch.stack(y, 1), *(torch.stack(end) for end in ends)]
    if batch_first:
        results = [results[0].permute(2, 0, 1, 3), *(value.transpose(0, 1) for value in results[1:])]
    return results[: len(node.outputs)]


def _same(x: Tensor) -> Tensor:
    return x


def _turn(lengths: Tensor | None) -> Callable[[Tensor], Tensor]:
    return (lambda x: x.flip(0)) if lengths is None else (lambda x: turned(x, lengths))


def _fused(
    node: Node, x: Tensor, one: _Direction, start: Sequence[Tensor], lengths: Tensor | None
) -> tuple[Tensor, ...]:
    """Return (features, *last states) by torch's own kernel, which has the gates in another order."""
    order = _ORDER[node.operator]
    weights = [_reordered(value, order) for value in (one.w, one.r, one.wb, one.rb)]
    state = [value.unsqueeze(0).contiguous() for value in start]
    options = (True, 1, 0.0, False, False, False)  # biases, layers, dropout, training, bidirectional, batch first
    if node.operator == "LSTM":
        y, h, c = torch.lstm(x, state, weights, *options)
        return y, h[0], c[0]
    kernel = torch.gru if node.operator == "GRU" else cells.RNN_KERNELS[cells.activation_names(node)[0]]
    y, h = kernel(x, state[0], weights, *options)
    return y, h[0]


def _reordered(value: Tensor, order: Sequence[int]) -> Tensor:
    gates = value.chunk(len(order))
    return torch.cat([gates[gate] for gate in order])


def _looped(
    node: Node, x: Tensor, one: _Direction, start: Sequence[Tensor], lengths: Tensor | None
) -> tuple[Tensor, ...]:
    """Return (features, *last states) step by step: other activations, peepholes, clipping, sequences of own length."""
    step = cells.CELLS[node.operator](node, one.index, one.r, one.rb, one.peepholes)
    projected = x @ one.w.T + one.wb
    state, features = tuple(start), []
    for t, now in enumerate(projected.unbind(0)):
        new = step(now, state)
        if lengths is None:
            state = new
            features.append(new[0])
        else:
            alive = (t < lengths).unsqueeze(-1)
            state = tuple(torch.where(alive, after, before) for after, before in zip(new, state, strict=True))
            features.append(torch.where(alive, new[0], torch.zeros_like(new[0])))
    return torch.stack(features), *state


OPERATORS: Mapping[str, Operator] = {"GRU": _single, "LSTM": _lstm, "RNN": _single}
