"""Catalogues of data sets: what they are, where they come from, and how each is opened; no code in them."""
