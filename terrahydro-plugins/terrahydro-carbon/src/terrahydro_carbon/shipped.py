"""Weights that come with the package: train.yaml makes them with seed 1, their card tells data, licence and skill."""

from pathlib import Path

from crest_core import registry

nee_light_response_fluxnet = registry().load("parts", "saved-model")(
    Path(__file__).parent / "models" / "nee-light-response-fluxnet"
)
