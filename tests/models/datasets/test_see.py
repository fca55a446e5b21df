from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from slipway.errors import FileError, UsageError
from slipway.models.datasets.labels import EMOTIONS, emotion
from slipway.models.datasets.see import ReadClip, clip_indices, crops, open_dsee, open_see

from .miniatures import see


def test_see_as_it_is_laid_out(tmp_path: Path) -> None:
    parts = open_see(see(tmp_path), ReadClip(steps=3, stride=5, size=(26, 34)))
    assert {split: len(part) for split, part in parts.items()} == {"train": 14, "test": 7}
    for part in parts.values():
        assert part.classes == EMOTIONS
        for index in range(len(part)):
            clip, label = part[index]
            assert clip.frames.shape == clip.events.shape == (3, 1, 26, 34)
            # Frame k has grey 10 + k, the events' picture 110 + k.
            assert clip.frames[:, 0, 0, 0].tolist() == [10, 15, 20]
            assert clip.events[:, 0, 5, 5].tolist() == [110, 115, 120]
            word = Path(part.keys[index].frames).name.split("_")[6]
            assert emotion(word) == label
    assert any("new people" in note for note in parts["test"].notes)


def test_pictures_are_brought_to_seens_size_and_stacked(tmp_path: Path) -> None:
    part = open_see(see(tmp_path))["train"]
    clips, labels = next(part.batches(5))
    assert clips.frames.shape == clips.events.shape == (5, 4, 1, 90, 90)
    assert labels.shape == (5,)


def test_dsee_says_that_its_layout_is_assumed(tmp_path: Path) -> None:
    part = open_dsee(see(tmp_path))["test"]
    assert part.name == "dsee"
    assert any("not published" in note for note in part.notes)


def test_clips_begin_where_the_seed_says(tmp_path: Path) -> None:
    part = open_see(see(tmp_path), ReadClip(4, 4, (26, 34)))["train"]
    one, same, other = crops(part, 1), crops(part, 1), crops(part, 2)
    starts = [film.start for film in one.keys]
    assert starts == [film.start for film in same.keys]
    assert starts != [film.start for film in other.keys]
    assert len(set(starts)) > 2
    # 18 or 20 frames, a clip of 13: it fits whole.
    assert all(0 <= film.start <= film.last - 13 for film in one.keys)
    assert one[3][0].frames[:, 0, 0, 0].tolist() == [10 + starts[3] + 4 * k for k in range(4)]
    with pytest.raises(UsageError, match="call crops before"):
        crops(part.through(len), 1)  # type: ignore[arg-type]


def test_short_sequences_are_repeated() -> None:
    assert clip_indices(131, 4, 4, 7) == [7, 11, 15, 19]
    assert clip_indices(10, 4, 4, 1) == [1, 5, 9, 1]
    assert clip_indices(1, 3, 1, 0) == [0, 0, 0]
    with pytest.raises(UsageError, match="from frame 5 of 5"):
        clip_indices(5, 1, 1, 5)


def test_folders_are_found_whatever_their_case(tmp_path: Path) -> None:
    root = see(tmp_path)
    for kind in ("event", "frame"):
        (root / kind / "neutral").rename(root / kind / "neutraL")
    assert len(open_see(root)["train"]) == 14


def test_a_label_may_be_a_position_in_the_files_list(tmp_path: Path) -> None:
    root = see(tmp_path)
    table = json.loads((root / "emotion.json").read_text())
    names = {}
    for name, entry in table["database"].items():
        names[name] = entry["annotations"]["label"]
        entry["annotations"]["label"] = table["labels"].index(names[name])
    (root / "emotion.json").write_text(json.dumps(table))
    part = open_see(root)["train"]
    for index, film in enumerate(part.keys):
        assert emotion(names[Path(film.frames).name]) == part.labels[index]


def test_the_split_file_may_lie_beside_the_folder(tmp_path: Path) -> None:
    root = see(tmp_path / "SEE")
    (root / "emotion.json").rename(tmp_path / "emotion.json")
    assert len(open_see(root)["test"]) == 7


def test_all_problems_of_the_folder_come_at_once(tmp_path: Path) -> None:
    root = see(tmp_path)
    table = json.loads((root / "emotion.json").read_text())
    names = list(table["database"])
    table["database"][names[0]]["subset"] = "dev"
    table["database"][names[1]]["annotations"]["label"] = "contempt"
    table["database"][names[2]]["annotations"]["segment"] = [5, 5]
    table["database"][names[3]] = {"subset": "testing"}
    (root / "emotion.json").write_text(json.dumps(table))
    for k in (3, 4, 5, 6):
        next((root / "event").glob(f"*/{names[4]}")).joinpath(f"{k:05d}.jpg").unlink()
    folder = next((root / "frame").glob(f"*/{names[5]}"))
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(FileError) as caught:
        open_see(root)
    text = str(caught.value)
    assert "the subset 'dev' is unknown" in text
    assert "the label 'contempt' is unknown" in text
    assert "the segment is 5..5" in text
    assert "the entry is no {subset, annotations}" in text
    assert "00003.jpg, 00004.jpg, 00005.jpg and 1 more" in text
    assert "the sequence's folder is missing" in text
    assert "apply to its authors" in text
    assert len(caught.value.problems) == 7


def test_pictures_of_a_clip_that_cannot_be_read(tmp_path: Path) -> None:
    root = see(tmp_path)
    part = open_see(root)["train"]
    film = part.keys[0]
    Path(film.frames, "00004.jpg").write_bytes(b"no picture")
    Path(film.events, "00008.jpg").unlink()
    with pytest.raises(FileError) as caught:
        part[0]
    told = [(p.what, Path(p.where).name) for p in caught.value.problems]
    assert told == [
        ("the picture cannot be decoded (no picture)", "00004.jpg"),
        ("the picture does not exist", "00008.jpg"),
    ]
    assert len(part.problems()) == 2


def test_what_is_no_split_file(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        open_see(tmp_path)
    told = [problem.what for problem in caught.value.problems]
    assert told[:3] == [
        f"there is no {x}" for x in ("split file", "folder of events", "folder of frames")
    ]
    root = see(tmp_path)
    for content in ("{", "[]", '{"labels": {}, "database": {}}', '{"labels": []}'):
        (root / "emotion.json").write_text(content)
        with pytest.raises(FileError, match="no split file with labels and database"):
            open_see(root)
    (root / "emotion.json").write_text('{"labels": ["angry", "bored"], "database": {}}')
    with pytest.raises(FileError, match="the label 'bored' is unknown"):
        open_see(root)


def test_as_float_input_the_pictures_are_grey(tmp_path: Path) -> None:
    """Stored as colour or as grey, the values are the same (miniatures are grey JPEGs)."""
    clip, _ = open_see(see(tmp_path))["test"][0]
    assert clip.frames.dtype == np.uint8
