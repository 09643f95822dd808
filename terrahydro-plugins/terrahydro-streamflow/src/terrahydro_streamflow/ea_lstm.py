"""StreamflowEALSTM: an LSTM whose input gate is set by the attributes of the basin alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from crest_core import FieldError
from terrahydro_streamflow.ports import MAURER_FORCING
from terrahydro_streamflow.recurrent import FORGET_BIAS, RADIUS, Network, RecurrentStreamflow


class StreamflowEALSTM(RecurrentStreamflow):
    """Runoff from an entity-aware LSTM: one input gate i = sigmoid(W_i x_s + b_i) for a basin, the same on all days.

    f = sigmoid(W_f x_d + U_f h + b_f), g and o alike with tanh and sigmoid, c = f c + i g, h = o tanh(c); x_s are the
    attributes, x_d the forcing. Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019, eqs. 7 to 12. It is run as an
    LSTM whose weights between x_d or h and i, and between x_s and the other gates, are zero: torch's own kernel does
    it in one call. There is no water balance. Arguments and the sign of runoff as in StreamflowLSTM.

    >>> StreamflowEALSTM(hidden=4, attributes={"aridity": "1"}).weight_hh.shape  # gates f, g, o
    torch.Size([12, 4])
    """

    def __init__(
        self,
        *,
        hidden: int = 256,
        dropout: float = 0.4,
        forcing: Sequence[str] = MAURER_FORCING,
        attributes: Mapping[str, str] | None = None,
        head: str = "point",
        mixture: int = 3,
        lagged: bool = False,
        hold_out: float = 0.0,
        hold_out_length: float | None = None,
        attribute_noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        network = Network(
            hidden=hidden, dropout=dropout, forcing=tuple(forcing), attributes=attributes, head=head, mixture=mixture,
            lagged=lagged, hold_out=hold_out, hold_out_length=hold_out_length, attribute_noise=attribute_noise,
        )  # fmt: skip
        super().__init__(network, generator)
        if not self.static:
            raise FieldError("StreamflowEALSTM: its input gate comes from attributes, and none are named")
        self.input_gate = nn.Linear(len(self.static), hidden)
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden, self.features))
        self.weight_hh = nn.Parameter(RADIUS * torch.eye(hidden).repeat(3, 1))
        self.bias = nn.Parameter(torch.zeros(3 * hidden))
        nn.init.orthogonal_(self.weight_ih, generator=generator)
        with torch.no_grad():
            for parameter in self.input_gate.parameters():
                parameter.uniform_(-(len(self.static) ** -0.5), len(self.static) ** -0.5, generator=generator)
            self.bias[:hidden] = FORGET_BIAS

    def run_layer(
        self, moving: Tensor, static: Tensor, hidden: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = torch.cat([moving, static.expand(len(moving), *static.shape)], dim=-1)
        start = (hidden.unsqueeze(0), memory.unsqueeze(0))
        answers, hidden, memory = torch.lstm(x, start, self._as_lstm(), True, 1, 0.0, self.training, False, False)
        return answers, hidden[0], memory[0]

    def _as_lstm(self) -> list[Tensor]:
        """Return weights and biases of the LSTM that does the same: x = (moving, static), gates i, f, g, o."""
        size, moving, static = self.network.hidden, self.features, len(self.static)
        gate = torch.cat([self.weight_ih.new_zeros(size, moving), self.input_gate.weight], dim=1)
        others = torch.cat([self.weight_ih, self.weight_ih.new_zeros(3 * size, static)], dim=1)
        recurrent = torch.cat([self.weight_hh.new_zeros(size, size), self.weight_hh])
        bias = torch.cat([self.input_gate.bias, self.bias])
        return [torch.cat([gate, others]), recurrent, bias, torch.zeros_like(bias)]
