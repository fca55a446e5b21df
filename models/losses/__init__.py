"""What students are taught with: plain functions, one equation each, and their sums.

Logits of a network over time are (T, N, classes). Teachers get no gradient from any of these.
"""
