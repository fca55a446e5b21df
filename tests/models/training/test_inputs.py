"""What networks see: against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from slipway.models.training.inputs import DRAWS, scale, see, vary
from slipway.models.training.learners import still_stream
from slipway.models.training.recipe import Augmentation, Input


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(
        256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


def drawn(items: int, seed: int) -> torch.Tensor:
    return torch.rand(DRAWS, items, generator=torch.Generator().manual_seed(seed))


def test_normalisation_is_the_formula() -> None:
    grey = noise(3, 1, 8, 8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    seen = scale(grey, Input(channels=3, mean=mean, std=std)).numpy()
    for channel in range(3):
        expected = (grey.numpy()[:, 0] / np.float32(255) - mean[channel]) / std[channel]
        np.testing.assert_allclose(seen[:, channel], expected, atol=1e-6)


def test_colour_becomes_grey_by_its_mean_and_sizes_change() -> None:
    colour = noise(2, 3, 12, 12)
    grey = scale(colour, Input(channels=1))
    np.testing.assert_allclose(grey[:, 0], colour.float().mean(1) / 255, atol=1e-6)
    flat = torch.full((2, 1, 12, 12), 51, dtype=torch.uint8)
    for size in (6, 24):
        seen = scale(flat, Input(size=size))
        assert seen.shape == (2, 1, size, size)
        np.testing.assert_allclose(seen, 0.2, atol=1e-6)


def test_each_kind_of_network_sees_its_own() -> None:
    clip = {"frames": noise(2, 4, 1, 8, 8), "events": noise(2, 4, 1, 8, 8)}
    both, events = see(clip, "clip", Input(event_mean=0.5, event_std=0.1), 4)
    assert both.shape == (2, 2, 8, 8)
    np.testing.assert_allclose(both[:, 0], clip["frames"][:, 0, 0] / 255.0, atol=1e-6)
    np.testing.assert_allclose(both[:, 1], clip["frames"][:, -1, 0] / 255.0, atol=1e-6)
    expected = (clip["events"].transpose(0, 1) / 255.0 - 0.5) / 0.1
    np.testing.assert_allclose(events, expected, atol=1e-5)
    (frames,) = see(clip, "frames", Input(), 4)
    np.testing.assert_allclose(frames, clip["frames"].transpose(0, 1) / 255.0, atol=1e-6)
    (still,) = see({"picture": noise(2, 1, 8, 8)}, "frames", Input(), 5)
    assert still.shape == (5, 2, 1, 8, 8)
    counts = noise(2, 3, 2, 8, 8)
    (currents,) = see({"events": counts}, "events", Input(), 3)
    assert torch.equal(currents, counts.transpose(0, 1).float())
    (clipped,) = see({"events": counts}, "events", Input(clip=1), 3)
    assert torch.equal(clipped, (counts > 0).transpose(0, 1).float())


def test_a_mirrored_item_is_mirrored_in_all_its_frames() -> None:
    fields = {"frames": noise(64, 3, 1, 8, 8), "events": noise(64, 3, 2, 8, 8)}
    varied, mirrored = vary(fields, Augmentation(flip=True), drawn(64, 2))
    assert 16 < int(mirrored.sum()) < 48
    for name, values in fields.items():
        for item, turned in enumerate(mirrored):
            expected = values[item].flip(-1) if turned else values[item]
            assert torch.equal(varied[name][item], expected), name


def test_no_variation_changes_nothing_and_the_same_draws_vary_alike() -> None:
    fields = {"picture": noise(8, 1, 8, 8)}
    same, mirrored = vary(fields, Augmentation(), drawn(8, 3))
    assert torch.equal(same["picture"], fields["picture"])
    assert not mirrored.any()
    chosen = Augmentation(flip=True, shift=0.1, zoom=0.1, turn=10.0, erase=0.3)
    first, second, other = (
        vary(fields, chosen, drawn(8, seed))[0]["picture"] for seed in (4, 4, 5)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_shift_moves_by_at_most_its_share() -> None:
    dot = torch.zeros(200, 1, 21, 21)
    dot[:, :, 10, 10] = 255
    moved = vary({"picture": dot}, Augmentation(shift=0.2), drawn(200, 6))[0]
    rows = (
        moved["picture"].sum(dim=(1, 3))
        @ torch.arange(21.0)
        / moved["picture"].sum(dim=(1, 2, 3))
    )
    farthest = float((rows - 10).abs().max())
    assert 3.5 < farthest <= 0.2 * 21 + 1e-3


def test_an_erased_square_has_its_size_and_the_mean() -> None:
    picture = torch.zeros(5, 1, 10, 10)
    picture[:, :, ::2] = 100
    erased = vary({"picture": picture}, Augmentation(erase=0.4), drawn(5, 0))[0]
    for item in erased["picture"]:
        assert int((item == 50).sum()) == 16


def test_the_still_stream_is_the_value_of_hsv_at_every_step() -> None:
    picture = noise(2, 3, 8, 8)
    stream = still_stream(picture, torch.zeros(4, 2, 2, 8, 8))
    assert stream.shape == (4, 2, 2, 8, 8)
    value = picture.amax(dim=1) / 255.0
    for step in range(4):
        for channel in range(2):
            torch.testing.assert_close(stream[step, :, channel], value)
    assert still_stream(picture, torch.zeros(4, 2, 2, 16, 16)).shape[-1] == 16


@pytest.mark.parametrize("chosen", [Augmentation(shift=0.1), Augmentation(turn=5.0)])
def test_event_counts_are_not_interpolated(chosen: Augmentation) -> None:
    counts = noise(4, 3, 2, 8, 8)
    varied, _ = vary({"events": counts}, chosen, drawn(4, 7))
    assert torch.equal(varied["events"], counts)
