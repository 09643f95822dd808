"""The soil layers: those that both models have by default, and the share of each in the root zone."""

from __future__ import annotations

from collections.abc import Sequence

from crest_core import FieldError

Layers = tuple[tuple[float, float], ...]

SOIL_LAYERS: Layers = ((0.0, 0.175), (0.175, 0.325), (0.325, 0.6))
"""Depth bounds [m, positive down] of the layers around sensors at 10, 25 and 40 cm."""
ROOT_ZONE = (0.0, 0.6)  # m


def checked(layers: Sequence[Sequence[float]]) -> Layers:
    """Return depth bounds [m] as tuples; they lie below one another, from the surface down, without overlap."""
    try:
        found = tuple((float(top), float(bottom)) for top, bottom in layers)
    except (TypeError, ValueError):
        raise FieldError(f"soil-lstm: layers {layers!r}; expected pairs of depths in m, as [[0.0, 0.3], [0.3, 0.6]]") \
            from None  # fmt: skip
    tops, bottoms = [top for top, _ in found], [bottom for _, bottom in found]
    below = all(top < bottom for top, bottom in found)
    if not found or min(tops) < 0.0 or not below or any(t < b for t, b in zip(tops[1:], bottoms[:-1], strict=True)):
        raise FieldError(f"soil-lstm: layers {found} m; expected (top, bottom) from the surface down, without overlap")
    return found


def root_zone_shares(layers: Layers) -> list[float] | None:
    """Return how much of the root zone each layer is, None where the layers do not fill it.

    >>> root_zone_shares(((0.0, 0.3), (0.3, 1.0)))
    [0.5, 0.5]
    """
    top, bottom = ROOT_ZONE
    overlap = [max(0.0, min(low, bottom) - max(high, top)) for high, low in layers]
    total = sum(overlap)
    return [one / total for one in overlap] if total > (bottom - top) * (1.0 - 1e-6) else None
