"""A window tells which steps a sample holds and scores."""

import pytest
from crest_samples import (
    SampleError,
    Window,
)

NONE = [(0,), (5, -1), (5, 0, 6), (5, 0, 0), (5, 0, "first"), ("3",), (2.5,), (3, 1.5), (3, "1"), (3, 0, None)]


@pytest.mark.parametrize("arguments", NONE)
def test_a_window_of_no_sense_is_refused(arguments):
    with pytest.raises(
        SampleError, match="expected 1 or more steps, a spin-up of 0 or more, and targets 'all', 'last'"
    ):
        Window(*arguments)
