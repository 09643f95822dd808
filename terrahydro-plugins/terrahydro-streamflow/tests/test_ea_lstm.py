"""The entity-aware LSTM gives what the equations of its paper give, computed here line by line."""

import torch
from terrahydro_streamflow import StreamflowEALSTM

from crest_core import Sizes


def test_it_is_equations_7_to_12_of_kratzert_2019():
    model = StreamflowEALSTM(
        hidden=5, attributes={"aridity": "1", "elev_mean": "m"}, generator=torch.Generator().manual_seed(3)
    )
    model = model.double().eval()
    draw = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():  # from where all weights differ
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw, dtype=torch.float64))
    forcing = torch.randn(15, 4, 5, generator=draw, dtype=torch.float64)  # (time, cell, field)
    attributes = torch.randn(4, 2, generator=draw, dtype=torch.float64)
    inputs = dict(zip(model.moving, forcing.unbind(-1), strict=True))
    inputs |= zip(model.static, attributes.unbind(-1), strict=True)
    outputs, state = model(model.initial_state(Sizes({"cell": 4}, dtype=torch.float64)), inputs, range(15))

    w_f, w_g, w_o = model.weight_ih.chunk(3)
    u_f, u_g, u_o = model.weight_hh.chunk(3)
    b_f, b_g, b_o = model.bias.chunk(3)
    i = torch.sigmoid(attributes @ model.input_gate.weight.T + model.input_gate.bias)
    h = c = torch.zeros(4, 5, dtype=torch.float64)
    runoff = []
    for x in forcing:
        f = torch.sigmoid(x @ w_f.T + h @ u_f.T + b_f)
        g = torch.tanh(x @ w_g.T + h @ u_g.T + b_g)
        o = torch.sigmoid(x @ w_o.T + h @ u_o.T + b_o)
        c = f * c + i * g
        h = o * torch.tanh(c)
        runoff.append((h @ model.head.linear.weight.T + model.head.linear.bias).squeeze(-1).clamp(min=0.0))
    torch.testing.assert_close(outputs["runoff_flux"], torch.stack(runoff), rtol=0, atol=1e-12)
    torch.testing.assert_close(state["hidden"], h.T, rtol=0, atol=1e-12)
    torch.testing.assert_close(state["memory"], c.T, rtol=0, atol=1e-12)
