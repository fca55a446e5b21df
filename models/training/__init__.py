"""The trainer: recipes in TOML, one loop, distillation, metrics, and going on after a kill.

To add a recipe: one TOML file in models/recipes/. To add a way of teaching: one class in
learners.py and one row in each of its tables.
"""
