"""Quantisation-aware training: networks that compute what the compiled Program computes."""
