"""Snow-covered fraction from the amount and the density of snow, after Niu and Yang (2007)."""

from __future__ import annotations

import torch
from torch import Tensor

FRESH_DENSITY = 100.0  # kg m-3, new snow; Niu and Yang (2007)
OLD_DENSITY = 450.0  # kg m-3, snow at the end of the season; Sturm et al. (2010), 10.1175/2010JHM1202.1
TRACE = 0.01  # kg m-2; so little snow counts as fresh


def density_after(density: Tensor, amount: Tensor, snowfall: Tensor, compaction: Tensor) -> Tensor:
    """Return the density [kg m-3] after fresh snow is mixed in by mass, and a step of compaction [1 per step].

    1 / rho = w / rho + (1 - w) / fresh, w the old share of the mass; then rho + (old - rho) compaction. Without snow
    the density is that of fresh snow, so that nothing is remembered over the summer.
    """
    old = amount / (amount + snowfall + TRACE)
    mixed = 1.0 / (old / density + (1.0 - old) / FRESH_DENSITY)
    return mixed + old * compaction * (OLD_DENSITY - mixed)


def cover(amount: Tensor, density: Tensor, roughness: Tensor, exponent: Tensor) -> Tensor:
    """Return tanh(h / (2.5 z0 (rho / rho_fresh)^m)) in [0, 1], h = amount / rho [m]; doi:10.1029/2007JD008674, eq. 4.

    z0 is `roughness` [m], m `exponent`. Old, dense snow of the same amount covers less: the curve of melt lies below
    that of accumulation.
    """
    depth = amount / density
    return torch.tanh(depth / (2.5 * roughness * (density / FRESH_DENSITY) ** exponent))
