"""The soil layers that both models share."""

SOIL_LAYERS = ((0.0, 0.175), (0.175, 0.325), (0.325, 0.6))
"""Depth bounds [m, positive down] of the layers around sensors at 10, 25 and 40 cm."""
