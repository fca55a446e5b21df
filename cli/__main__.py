"""`python -m slipway.cli` is `slipway`."""

from . import main

main()
