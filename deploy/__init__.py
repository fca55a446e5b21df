"""Canonical NIR to a Program, and a Program to spikes: reference, engine or Lava."""
