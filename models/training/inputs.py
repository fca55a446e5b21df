"""From bytes in memory to what a network sees: varied, scaled, normalised. On any device."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from .recipe import Augmentation, Input

FULL = 255.0
DRAWS = 7
"""Random numbers that one variation of an item takes."""
Fields = Mapping[str, Tensor]


def see(fields: Fields, sees: str, chosen: Input, steps: int) -> tuple[Tensor, ...]:
    """What a network is called with.

    Args:
        fields: of a batch, see data.Samples; pixels 0 to 255.
        sees: "picture": (N, C, H, W). "frames": (T, N, C, H, W), a picture being shown at each
            of `steps` steps. "clip": the first and the last frame side by side (N, 2 C, H, W),
            and events (T, N, C, H, W). "events": counts (T, N, 2, H, W).
        chosen: size, channels and normalisation.
        steps: of a network over time.
    """
    if sees == "picture":
        return (scale(fields["picture"], chosen),)
    if sees == "frames":
        if "frames" in fields:
            return (scale(fields["frames"].transpose(0, 1), chosen),)
        picture = scale(fields["picture"], chosen)
        return (picture.expand(steps, *picture.shape),)
    if sees == "clip":
        frames = scale(fields["frames"].transpose(0, 1), chosen)
        events = scale(
            fields["events"].transpose(0, 1), chosen, chosen.event_mean, chosen.event_std
        )
        return torch.cat([frames[0], frames[-1]], dim=1), events
    return (counts(fields["events"], chosen),)


def counts(events: Tensor, chosen: Input) -> Tensor:
    """Event counts (N, T, 2, H, W) -> currents (T, N, 2, H, W)."""
    clipped = events.clamp(max=chosen.clip) if chosen.clip else events
    return clipped.transpose(0, 1).float()


def scale(
    grey: Tensor,
    chosen: Input,
    mean: float | tuple[float, ...] | None = None,
    std: float | tuple[float, ...] | None = None,
) -> Tensor:
    """Grey levels (..., C, H, W), 0 to 255 -> (x / 255 - mean) / std in the size chosen."""
    x = grey.float() / FULL
    if chosen.channels == 1 and x.shape[-3] != 1:
        x = x.mean(dim=-3, keepdim=True)
    if chosen.size and x.shape[-2:] != (chosen.size, chosen.size):
        size = (chosen.size, chosen.size)
        smaller = chosen.size < x.shape[-1]
        flat = x.reshape(-1, *x.shape[-3:])
        flat = functional.interpolate(flat, size, mode="bilinear", antialias=smaller)
        x = flat.reshape(*x.shape[:-2], *size)
    if chosen.channels > 1 and x.shape[-3] == 1:
        x = x.expand(*x.shape[:-3], chosen.channels, *x.shape[-2:])
    mean = chosen.mean if mean is None else mean
    std = chosen.std if std is None else std
    if mean == 0.0 and std == 1.0:
        return x
    return (x - _wide(mean, x)) / _wide(std, x)


def _wide(value: float | tuple[float, ...], like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device).reshape(-1, 1, 1)


def vary(
    fields: Fields, chosen: Augmentation, draws: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Vary each item of a batch on its own; all frames of an item alike.

    Event counts and accumulated events are mirrored with the frames; they are moved and turned
    only where they are pictures (SEE's), bilinearly. Outside, the border goes on.

    Args:
        fields: of a batch.
        chosen: how far.
        draws: (DRAWS, N), 0 to 1, on the CPU; the first mirrors below 0.5. Of two items that
            differ in the first alone one is the mirror image of the other.

    Returns:
        The fields, and which items are mirrored, (N,) bool, on the CPU.
    """
    moves = chosen.shift or chosen.zoom or chosen.turn
    made = {}
    for name, values in fields.items():
        x = values
        here = draws.to(x.device)
        mirrored = (here[0] < 0.5).view(-1, *(1,) * (x.ndim - 1))
        pictures = name != "events" or x.shape[-3] != 2
        if moves and pictures:
            x = _moved(x.float(), here, chosen)
        elif chosen.flip:
            x = torch.where(mirrored, x.flip(-1), x)
        if chosen.erase and pictures:
            x = _erased(x.float(), here, chosen)
        made[name] = x
    return made, (draws[0] < 0.5) & chosen.flip


def _moved(x: Tensor, draws: Tensor, chosen: Augmentation) -> Tensor:
    flat = x.flatten(1, -3) if x.ndim > 4 else x  # frames as channels: all move alike
    angle = math.radians(chosen.turn) * (2 * draws[1] - 1)
    size = 1.0 + chosen.zoom * (2 * draws[2] - 1)
    mirror = torch.where(draws[0] < 0.5, -1.0, 1.0) if chosen.flip else torch.ones_like(size)
    # affine_grid's coordinates run from -1 to 1: a shift of the side's fraction s is 2 s.
    across, down = 2 * chosen.shift * (2 * draws[3:5] - 1)
    rows = (
        torch.stack([mirror * size * angle.cos(), -size * angle.sin(), across]),
        torch.stack([mirror * size * angle.sin(), size * angle.cos(), down]),
    )
    matrix = torch.stack(rows).permute(2, 0, 1)
    grid = functional.affine_grid(matrix, list(flat.shape), align_corners=False)
    seen = functional.grid_sample(flat, grid, padding_mode="border", align_corners=False)
    return seen.view_as(x)


def _erased(x: Tensor, draws: Tensor, chosen: Augmentation) -> Tensor:
    """A square of that share of the side becomes the item's mean grey, anywhere inside."""
    height, width = x.shape[-2:]
    high, wide = round(chosen.erase * height), round(chosen.erase * width)
    top, left = draws[5] * (height - high), (draws[6] * (width - wide)).ceil()
    if chosen.flip:
        left = torch.where(draws[0] < 0.5, width - wide - left, left)
    rows, columns = (torch.arange(n, device=x.device) for n in (height, width))
    inside = ((rows >= top[:, None]) & (rows < top[:, None] + high))[:, :, None] & (
        (columns >= left[:, None]) & (columns < left[:, None] + wide)
    )[:, None, :]
    mask = inside.view(-1, *(1,) * (x.ndim - 3), height, width)
    grey = x.flatten(1).mean(dim=1).view(-1, *(1,) * (x.ndim - 1))
    return torch.where(mask, grey, x)
