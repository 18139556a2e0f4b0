"""Tests; see the house style for what belongs where."""
