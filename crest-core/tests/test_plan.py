"""Plans: order, loops, and the pictures and texts that show them."""

import pytest

from crest_core import Connection, Graph
from crest_core.errors import CouplingError
from crest_core.testing import LinearReservoir, NumpyBucket, SmallLSTM, Stress, TorchBucket

LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


def graph():
    return Graph({"river": LinearReservoir(), "soil": NumpyBucket(), "plant": Stress()}, [LAG])


def test_feedback_loops_step_and_the_rest_runs_whole():
    blocks = graph().blocks
    assert [(block.members, block.loop) for block in blocks] == [(("plant", "soil"), True), (("river",), False)]


def test_the_lag_decides_the_order_inside_a_loop():
    other = Connection("plant.evapotranspiration", "soil.evapotranspiration", lagged=True, initial=0.0)
    assert Graph({"plant": Stress(), "soil": TorchBucket()}, [other]).blocks[0].members == ("soil", "plant")


def test_a_component_that_feeds_itself_is_a_loop():
    again = Connection("lstm.runoff", "lstm.precipitation", lagged=True, initial=0.0)
    block = Graph({"lstm": SmallLSTM()}, [again]).blocks[0]
    assert block.loop and block.members == ("lstm",)
    with pytest.raises(CouplingError, match="the cycle lstm -> lstm has no lagged connection"):
        Graph({"lstm": SmallLSTM()}, [Connection("lstm.runoff", "lstm.precipitation")])


def test_the_text_names_blocks_connections_transforms_and_policies():
    text = str(graph().plan())
    assert "1. loop, step by step: plant (autograd) -> soil (finite_difference)" in text
    assert "2. whole sequence: river (autograd)" in text
    assert "soil.storage -> plant.storage  [lagged one step, initial 50 kg m-2]" in text
    assert "precipitation: precipitation_flux [mm day-1, mean]" in text


def test_mermaid_draws_lagged_links_dotted():
    text = graph().plan().mermaid()
    assert text.startswith("flowchart LR")
    assert 'c_soil -. "storage" .-> c_plant' in text
    assert 'c_soil -- "runoff" --> c_river' in text
    assert 'subgraph loop1["loop: step by step"]' in text


def test_notebooks_show_plans_and_graphs():
    assert "<ol><li>loop" in graph()._repr_html_()
    assert "plant (autograd) → soil (finite_difference)" in graph().plan()._repr_html_()
