"""LSTMNEE: photosynthesis and respiration straight from the hidden state of an LSTM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from crest_core import Tensors
from terrahydro_carbon.ports import DRIVERS
from terrahydro_carbon.recurrent import RecurrentNEE

LARGE = 5.0  # g m-2 day-1, which brings the answers to order one


class LSTMNEE(RecurrentNEE):
    """GPP = 5 softplus(w1 f - 1), RECO = 5 softplus(w2 f - 1), NEE = RECO - GPP, of the features f of RecurrentNEE.

    LSTM: Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735; of carbon fluxes: Besnard et al. (2019),
    doi:10.1371/journal.pone.0211510. It may take up carbon in the dark.

    >>> nee = LSTMNEE(hidden=4, generator=torch.Generator().manual_seed(1))
    >>> [spec.name for spec in nee.outputs]
    ['net_ecosystem_exchange', 'gross_primary_productivity', 'ecosystem_respiration']
    """

    def __init__(
        self,
        *,
        hidden: int = 64,
        direct: int = 0,
        dropout: float = 0.3,
        drivers: Sequence[str] = DRIVERS,
        attributes: Mapping[str, str] | None = None,
        attribute_noise: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(
            answers=2, hidden=hidden, direct=direct, dropout=dropout, drivers=drivers, attributes=attributes,
            attribute_noise=attribute_noise, generator=generator,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the settings that change the answer, for print and the graph hash."""
        return f"inputs {[spec.name for spec in self.inputs]}, scale {LARGE} g m-2 day-1"

    def fluxes(self, answers: Tensor, inputs: Tensors) -> tuple[Tensor, Tensor]:
        gpp, reco = (LARGE * softplus(answers - 1.0)).unbind(-1)
        return gpp, reco
