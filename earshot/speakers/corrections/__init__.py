"""Corrections: how they are entered, how they conflict, and the constraints that follow from them."""
