"""Of all tests: those marked `gpu` are skipped on a machine without a CUDA device; what was collected is not swept."""

import gc

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need a CUDA device where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device, this machine has none"))


def pytest_collection_finish() -> None:
    """Keep the thousands of tests, which live to the end, from being looked through at every collection of garbage."""
    gc.collect()
    gc.freeze()
