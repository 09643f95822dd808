"""CREST."""
