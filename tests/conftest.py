"""The same examples at every run: `make test` says of a commit what it will say tomorrow.

Other examples than last time come from `make conformance`, or from
`pytest --hypothesis-profile=default`.
"""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")
