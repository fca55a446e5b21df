"""One file a synapse: weights, geometry, and the sum over them."""
