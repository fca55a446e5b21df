"""One file a neuron model: parameters, integer norm, kernel."""
