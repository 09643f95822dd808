"""StreamflowLSTM: an LSTM of weather, with the attributes of the basin beside it on every day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from terrahydro_streamflow.ports import MAURER_FORCING
from terrahydro_streamflow.recurrent import FORGET_BIAS, RADIUS, Network, RecurrentStreamflow


class StreamflowLSTM(RecurrentStreamflow):
    """Runoff from one LSTM for all basins, x = (forcing, attributes) on every day.

    Kratzert et al. (2019), doi:10.5194/hess-23-5089-2019, model "LSTM with static inputs"; the cell is that of
    Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735. There is no water balance. In training mode
    runoff may be negative, so that a loss has a slope everywhere; in evaluation mode it is cut at 0. Settings as in
    `Network`.

    >>> from crest_core import Sizes
    >>> lstm = StreamflowLSTM(hidden=8, attributes={"aridity": "1"}, generator=torch.Generator().manual_seed(1)).eval()
    >>> state = lstm.initial_state(Sizes({"cell": 2}))
    >>> weather = {spec.name: torch.zeros(30, 2) for spec in lstm.inputs if not spec.static}
    >>> lstm(state, {**weather, "aridity": torch.ones(2)}, range(30))[0]["runoff_flux"].shape
    torch.Size([30, 2])
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
        self.lstm = nn.LSTM(self.features + len(self.static), hidden)
        with torch.no_grad():
            for parameter in self.lstm.parameters():
                parameter.uniform_(-(hidden**-0.5), hidden**-0.5, generator=generator)
            self.lstm.get_parameter("weight_hh_l0").mul_(RADIUS * 3.0**0.5)
            self.lstm.get_parameter("bias_hh_l0")[hidden : 2 * hidden] = FORGET_BIAS

    def run_layer(
        self, moving: Tensor, static: Tensor, hidden: Tensor, memory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        x = torch.cat([moving, static.expand(len(moving), *static.shape)], dim=-1)
        answers, (hidden, memory) = self.lstm(x, (hidden.unsqueeze(0), memory.unsqueeze(0)))
        return answers, hidden[0], memory[0]
