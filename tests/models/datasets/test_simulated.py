from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from slipway.errors import DataError, FileError, UsageError
from slipway.models.datasets.faces import open_fer2013, open_raf_db
from slipway.models.datasets.part import Part
from slipway.models.datasets.simulated import (
    RIGHT_EYE,
    EyeFilm,
    PairToClip,
    PairToFrames,
    SaccadeFilm,
    as_grey,
    simulate,
    simulate_all,
)
from slipway.models.datasets.store import load, save
from slipway.models.events.camera import IDEAL
from slipway.models.events.motion import Blink, Gaze, Window

from .miniatures import fer_folders, raf_db

EYE = EyeFilm(size=(30, 30), frames=8)


def faces(count: int = 6) -> Part[np.ndarray]:
    """Pictures with something in them: smooth random ones, their label the index."""
    random = np.random.default_rng(0)
    rough = random.random((count, 1, 8, 8))
    pictures = np.kron(rough, np.ones((1, 1, 6, 6))) * 255
    chosen = pictures.round().astype(np.uint8)
    return Part("faces", "train", tuple("abcdef"), list(chosen), np.arange(count), np.asarray)


def test_a_simulated_set_says_so_everywhere(tmp_path: Path) -> None:
    for recipe, kind in ((SaccadeFilm(), "saccades"), (EYE, "single-eye")):
        part = simulate(faces(), recipe)
        assert part.name == f"faces-{kind}-simulated"
        assert part.simulated
        assert part.notes[0].startswith("SIMULATED")
        assert '"on": 0.2' in part.notes[-1]
        assert json.loads(part.notes[-1].split(maxsplit=2)[2])["seed"] == 0
        for later in (part.select([0, 1]), part.through(PairToFrames(2))):
            assert later.simulated
            assert "simulated" in later.name
        path = tmp_path / f"{kind}.h5"
        save(part, path)
        with h5py.File(path) as file:
            assert bool(file.attrs["simulated"]) is True
            assert "simulated" in file.attrs["name"]
            assert file.attrs["notes"][0].startswith("SIMULATED")


def test_saccades_over_pictures_give_pairs() -> None:
    part = simulate(faces(), SaccadeFilm())
    pair, label = part[3]
    assert label == 3
    np.testing.assert_array_equal(pair.picture, faces()[3][0])
    events = pair.recording.events
    assert (pair.recording.height, pair.recording.width) == (48, 48)
    assert len(events) > 1000
    assert events["t"][0] >= 0
    assert events["t"][-1] <= 300_000
    # Three saccades: more events in their middles than at the corners.
    middles, corners = (
        sum(np.sum(np.abs(events["t"] - at) < 10_000) for at in ats)
        for ats in ((50_000, 150_000, 250_000), (100_000, 200_000, 5_000))
    )
    assert middles > 5 * corners
    (pictures, frames), labels = next(part.through(PairToFrames(10)).batches(4))
    assert pictures.shape == (4, 1, 48, 48)
    assert frames.shape == (4, 10, 2, 48, 48)
    assert labels.tolist() == [0, 1, 2, 3]


def test_the_same_recipe_gives_the_same_events_and_another_seed_others() -> None:
    part = faces()
    for recipe in (SaccadeFilm(seed=5), EYE):
        one = simulate(part, recipe)[2][0].recording.events
        again = simulate(part.select([5, 2]), recipe)[1][0].recording.events
        np.testing.assert_array_equal(one, again)  # wherever it stands in the set
        other = simulate(part, replace(recipe, seed=6))[2][0].recording.events
        assert not np.array_equal(one, other)


def test_worker_processes_simulate_the_same(tmp_path: Path) -> None:
    part = simulate(open_fer2013(fer_folders(tmp_path, 1))["train"], SaccadeFilm())
    here, _ = part.arrays()
    there, _ = part.arrays(workers=2)
    for one, other in zip(here.recording, there.recording, strict=True):
        np.testing.assert_array_equal(one.events, other.events)


def test_an_eye_has_a_film_and_events() -> None:
    part = simulate(faces(), EYE)
    pair, _ = part[1]
    assert pair.picture.shape == (8, 1, 30, 30)
    assert (pair.recording.height, pair.recording.width) == (30, 30)
    assert pair.recording.events["t"].max() <= 8 * 33_333
    clips, _ = next(part.through(PairToClip(steps=4, stride=2)).batches(6))
    assert clips.frames.shape == clips.events.shape == (6, 4, 1, 30, 30)
    np.testing.assert_array_equal(clips.frames[1], pair.picture[::2])
    assert clips.events.dtype == np.uint8


def test_a_resting_ideal_eye_is_the_crop_and_silent() -> None:
    still = EyeFilm(
        camera=IDEAL,
        gaze=Gaze(rate=0.0, drift=0.0),
        blink=Blink(rate=0.0),
        size=(20, 20),
        frames=3,
    )
    picture = faces()[0][0]
    pair = still(picture)
    assert len(pair.recording.events) == 0
    for frame in pair.picture:
        np.testing.assert_array_equal(frame[0], picture[0, 7:27, 5:25])
    assert (PairToClip(2, 1)(pair).events == 128).all()
    other = replace(still, window=Window(20.0, 1.0, 10.0, 12.0), size=(12, 10))(picture)
    np.testing.assert_array_equal(other.picture[0, 0], picture[0, 1:13, 20:30])
    assert Window(5.0, 7.0, 20.0, 20.0) == RIGHT_EYE


def test_a_blink_is_seen_in_frames_and_events() -> None:
    awake = EyeFilm(camera=IDEAL, gaze=Gaze(0.0, 0.0, 1.0, 0.0), blink=Blink(0.0), frames=16)
    tired = replace(awake, blink=Blink(rate=5.0))
    pairs = [tired(picture) for picture, _ in (faces()[k] for k in range(6))]
    seen = [len(pair.recording.events) > 500 for pair in pairs]
    moved = [len(np.unique(pair.picture.reshape(16, -1), axis=0)) > 3 for pair in pairs]
    assert seen == moved
    assert sum(seen) >= 4  # the first blink comes after 200 ms on average, the film has 533
    assert all(len(awake(faces()[k][0]).recording.events) == 0 for k in range(6))


def test_colour_is_simulated_by_its_luminance(tmp_path: Path) -> None:
    parts = simulate_all(open_raf_db(raf_db(tmp_path)), SaccadeFilm(size=(32, 32)))
    assert set(parts) == {"train", "test"}
    pair, _ = parts["test"][0]
    assert pair.picture.shape == (3, 100, 100)
    assert (pair.recording.height, pair.recording.width) == (32, 32)
    red = np.zeros((3, 2, 2), np.uint8)
    red[0] = 200
    assert as_grey(red).tolist() == [[60, 60], [60, 60]]
    with pytest.raises(
        DataError, match=r"shape \(2, 4, 4\), expected \(1, H, W\) or \(3, H, W\)"
    ):
        as_grey(np.zeros((2, 4, 4), np.uint8))


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    part = simulate(faces(), SaccadeFilm())
    save(part, tmp_path / "new" / "train.h5")
    loaded = load(tmp_path / "new" / "train.h5")
    assert (loaded.name, loaded.split, loaded.classes) == (part.name, part.split, part.classes)
    assert loaded.notes == part.notes
    np.testing.assert_array_equal(loaded.labels, part.labels)
    for index in (0, 5, 2):
        (one, label), (other, same) = loaded[index], part[index]
        assert label == same
        np.testing.assert_array_equal(one.picture, other.picture)
        np.testing.assert_array_equal(one.recording.events, other.recording.events)
    frames, _ = loaded.select([4, 1]).through(PairToFrames(3)).arrays()
    assert frames.recording.shape == (2, 3, 2, 48, 48)
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "train.h5"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"older")
    # In one batch of 128, and from one batch to the next.
    for sides in ([8, 9], [8] * 128 + [9]):
        mixed = [np.zeros((1, side, 8), np.uint8) for side in sides]
        part = Part("mixed", "train", ("a",), mixed, np.zeros(len(mixed), np.int64), np.asarray)
        with pytest.raises(DataError, match=r"the items differ in (size|shape)"):
            save(simulate(part, SaccadeFilm()), path)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match="the part has no items"):
        save(simulate(part.select([]), SaccadeFilm()), path)
    with pytest.raises(FileError, match="it is a folder"):
        save(simulate(faces(), SaccadeFilm()), tmp_path)


def test_what_is_no_saved_part_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with pytest.raises(FileError, match="there is no such file"):
        load(path)
    path.write_bytes(b"something else")
    with pytest.raises(FileError, match="cannot be read"):
        load(path)
    with h5py.File(path, "w") as file:
        file.attrs["format"] = "another"
    with pytest.raises(FileError, match="the format is 'another', expected 'slipway pairs 1'"):
        load(path)
    save(simulate(faces(), SaccadeFilm()), path)
    with h5py.File(path, "a") as file:
        del file["events"]
    with pytest.raises(FileError, match="cannot be read") as caught:
        load(path)[3]
    assert f"{path}, item 3" in str(caught.value)


def test_a_recipe_that_makes_no_sense() -> None:
    with pytest.raises(UsageError, match=r"0 frames, period 33333\.0 us, tick 2000\.0 us"):
        simulate(faces(), replace(EYE, frames=0))[0]
