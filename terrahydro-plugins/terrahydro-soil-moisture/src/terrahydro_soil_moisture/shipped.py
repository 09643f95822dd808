"""Weights that come with the package: train.yaml makes them with seed 1, their cards tell data, licence and skill."""

from pathlib import Path

from crest_core import registry

soil_lstm_era5_land = registry().load("parts", "saved-model")(Path(__file__).parent / "models" / "soil-lstm-era5-land")
