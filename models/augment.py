"""Training pictures, varied: what a face may do without changing its emotion."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def vary(
    frames: Tensor,
    generator: torch.Generator,
    *,
    shift: float = 0.05,
    zoom: float = 0.1,
    turn: float = 6.0,
) -> Tensor:
    """Flip, move, zoom and turn each picture of a batch on its own, bilinearly.

    Args:
        frames: (N, C, H, W).
        generator: source of all randomness.
        shift: largest displacement, fraction of the picture's side.
        zoom: largest change of size, fraction.
        turn: largest angle, degree.

    Returns:
        As frames; what lies outside is continued from the border.
    """
    n = frames.shape[0]

    def uniform(limit: float) -> Tensor:
        return (torch.rand(n, generator=generator) * 2.0 - 1.0) * limit

    angle, size = uniform(math.radians(turn)), 1.0 + uniform(zoom)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    # affine_grid's coordinates run from -1 to 1: a shift of the side's fraction s is 2 s.
    matrix = torch.stack(
        [
            torch.stack([mirror * size * angle.cos(), -size * angle.sin(), uniform(2 * shift)]),
            torch.stack([mirror * size * angle.sin(), size * angle.cos(), uniform(2 * shift)]),
        ]
    ).permute(2, 0, 1)
    grid = functional.affine_grid(matrix, list(frames.shape), align_corners=False)
    return functional.grid_sample(frames, grid, padding_mode="border", align_corners=False)
