"""Laws and small models for the tests of components, the core's own and those of plugins."""

from crest_core.testing.laws import (
    affine_error,
    dot_product_error,
    materialised_vjp,
    relative_difference,
    taylor_orders,
)
from crest_core.testing.models import LinearReservoir, NumpyBucket, SmallLSTM, Stress, TorchBucket, weather

__all__ = [
    "LinearReservoir",
    "NumpyBucket",
    "SmallLSTM",
    "Stress",
    "TorchBucket",
    "affine_error",
    "dot_product_error",
    "materialised_vjp",
    "relative_difference",
    "taylor_orders",
    "weather",
]
