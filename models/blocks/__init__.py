"""Parts that several networks share: spiking cells, chains of layers, gates."""
