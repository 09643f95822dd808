"""SPSA over a whole run."""

import torch
from crest_training import spsa_gradient
from torch.nn.functional import cosine_similarity

from crest_core import Graph, Sizes
from crest_core.testing import TorchBucket


def test_spsa_over_a_whole_run_points_along_the_gradient_as_theory_says():
    graph, days, cells = Graph({"soil": TorchBucket()}), 60, 2
    rain = 8 * torch.rand(days, cells, generator=torch.Generator().manual_seed(3))
    inputs = {"precipitation": rain, "evapotranspiration": torch.full((days, cells), 2.0)}
    parameters = list(graph.parameters())

    def loss():
        state = graph.initial_state(Sizes({"cell": cells}))
        outputs, _ = graph(state, {spec.name: inputs[spec.name] for spec in graph.inputs}, range(days))
        return (outputs["storage"] ** 2).mean() / 100 + outputs["runoff"].mean()

    true = torch.stack(list(torch.autograd.grad(loss(), parameters)))
    d, pairs = len(parameters), 4
    generator = torch.Generator().manual_seed(21)
    cosines = []
    for _ in range(10):
        before = [p.detach().clone() for p in parameters]
        found = torch.stack(spsa_gradient(loss, parameters, generator, pairs=pairs))
        assert all(torch.equal(a, b) for a, b in zip(before, parameters, strict=True))
        cosines.append(float(cosine_similarity(found, true, dim=0)))
    assert sum(cosines) / 10 >= 0.9 * (pairs / (pairs + d - 1)) ** 0.5
