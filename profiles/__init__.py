"""From counts to energy and time, with the band and the source of each figure."""
