"""One step of LSTM, GRU and RNN in the full generality of the standard, and which need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from crest_onnx.operators.node import Node

Activation = Callable[[Tensor], Tensor]
Step = Callable[[Tensor, Sequence[Tensor]], tuple[Tensor, ...]]

RNN_KERNELS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}
_DEFAULTS = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}
_ACTIVATIONS: Mapping[str, Callable[[float | None, float | None], Activation]] = {
    "affine": lambda a, b: lambda x: (1.0 if a is None else a) * x + (b or 0.0),
    "elu": lambda a, b: lambda x: F.elu(x, 1.0 if a is None else a),
    "hardsigmoid": lambda a, b: lambda x: ((0.2 if a is None else a) * x + (0.5 if b is None else b)).clamp(0, 1),
    "leakyrelu": lambda a, b: lambda x: F.leaky_relu(x, 0.01 if a is None else a),
    "relu": lambda a, b: torch.relu,
    "scaledtanh": lambda a, b: lambda x: (1.0 if a is None else a) * torch.tanh((1.0 if b is None else b) * x),
    "sigmoid": lambda a, b: torch.sigmoid,
    "softplus": lambda a, b: lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "softsign": lambda a, b: lambda x: x / (1 + x.abs()),
    "tanh": lambda a, b: torch.tanh,
    "thresholdedrelu": lambda a, b: lambda x: torch.where(x > (1.0 if a is None else a), x, torch.zeros_like(x)),
}
_WITH_ALPHA = ("affine", "elu", "hardsigmoid", "leakyrelu", "scaledtanh", "thresholdedrelu")
_WITH_BETA = ("affine", "hardsigmoid", "scaledtanh")


def activation_names(node: Node) -> list[str]:
    """Return the activations of all directions, one after the other, in lower case."""
    directions = 2 if node.get("direction", "forward") == "bidirectional" else 1
    return [name.lower() for name in node.get("activations") or _DEFAULTS[node.operator] * directions]


def is_standard(node: Node) -> bool:
    """Return whether torch's fused kernels compute this node."""
    names, plain = activation_names(node), _DEFAULTS[node.operator]
    same = names == list(plain) * (len(names) // len(plain))
    if node.operator == "RNN":
        same = len(set(names)) == 1 and names[0] in RNN_KERNELS
    if node.operator == "GRU" and not node.get("linear_before_reset", 0):
        return False
    return same and node.get("clip") is None and not node.get("input_forget", 0)


def _activations(node: Node, index: int) -> list[Activation]:
    """Return the activations of one direction; alpha and beta are listed for those only that have one."""
    names, count = activation_names(node), len(_DEFAULTS[node.operator])
    alphas, betas = iter(node.get("activation_alpha", [])), iter(node.get("activation_beta", []))
    made = []
    for name in names:
        if name not in _ACTIVATIONS:
            raise node.refusal(f"activation {name}")
        alpha = next(alphas, None) if name in _WITH_ALPHA else None
        beta = next(betas, None) if name in _WITH_BETA else None
        made.append(_ACTIVATIONS[name](alpha, beta))
    return made[index * count : (index + 1) * count]


def _clip(node: Node) -> Activation:
    limit = node.get("clip")
    return (lambda x: x) if limit is None else (lambda x: x.clamp(-limit, limit))


def _lstm(node: Node, index: int, r: Tensor, rb: Tensor, peepholes: Tensor | None) -> Step:
    """Hochreiter and Schmidhuber (1997) with forget gate; W x + Wb comes in, gates in the order i, o, f, c."""
    f, g, h = _activations(node, index)
    clip, coupled = _clip(node), bool(node.get("input_forget", 0))
    pi, po, pf = (0.0, 0.0, 0.0) if peepholes is None else peepholes.chunk(3)

    def step(now: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        hidden, cell = state
        i, o, forget, c = (now + hidden @ r.T + rb).chunk(4, -1)
        i = f(clip(i + pi * cell))
        forget = 1 - i if coupled else f(clip(forget + pf * cell))
        cell = forget * cell + i * g(clip(c))
        return f(clip(o + po * cell)) * h(cell), cell

    return step


def _gru(node: Node, index: int, r: Tensor, rb: Tensor, peepholes: Tensor | None) -> Step:
    """Cho et al. (2014), gates in the order z, r, h; the reset acts before or after the recurrent product."""
    f, g = _activations(node, index)
    clip, after = _clip(node), bool(node.get("linear_before_reset", 0))
    size = r.shape[-1]
    gates, new = r.split([2 * size, size])
    gates_bias, new_bias = rb.split([2 * size, size])

    def step(now: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, ...]:
        (hidden,) = state
        both, own = now.split([2 * size, size], -1)
        update, reset = f(clip(both + hidden @ gates.T + gates_bias)).chunk(2, -1)
        past = reset * (hidden @ new.T + new_bias) if after else (reset * hidden) @ new.T + new_bias
        fresh = g(clip(own + past))
        return ((1 - update) * fresh + update * hidden,)

    return step


def _rnn(node: Node, index: int, r: Tensor, rb: Tensor, peepholes: Tensor | None) -> Step:
    """Elman (1990): H' = f(W x + R H + b)."""
    (f,) = _activations(node, index)
    clip = _clip(node)
    return lambda now, state: (f(clip(now + state[0] @ r.T + rb)),)


CELLS: Mapping[str, Callable[[Node, int, Tensor, Tensor, Tensor | None], Step]] = {
    "GRU": _gru,
    "LSTM": _lstm,
    "RNN": _rnn,
}
