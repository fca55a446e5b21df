"""Small data sets in the true layouts and file formats, written by the tests themselves."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from slipway.models.datasets.labels import EMOTIONS
from slipway.models.datasets.recordings import CIFAR10, SUPERCLASSES
from slipway.models.events.files import write_nmnist
from slipway.models.events.recording import Events, as_events

image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

USAGE = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
FOLDERS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def jpeg(path: Path, value: int, height: int = 48, width: int = 48, mode: str = "L") -> Path:
    """A plain grey JPEG: its pixels decode to `value` exactly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width), value, np.uint8)
    image.fromarray(pixels).convert(mode).save(path, "jpeg", quality=100)
    return path


def grey(split: str, label: int) -> int:
    """The grey value that stands for a split and a label of EMOTIONS."""
    return 20 * label + 5 * list(USAGE).index(split) + 10


def fer_folders(root: Path, each: int = 2) -> Path:
    """SPLIT/CLASS/NAME.jpg, the grey value telling split and class."""
    for split, usage in USAGE.items():
        for name in FOLDERS:
            for n in range(each):
                jpeg(
                    root / split / name / f"{usage}_{100 + n}.jpg",
                    grey(split, EMOTIONS.index(name)),
                )
    return root


def fer_zips(root: Path) -> Path:
    """Two archives as those in shared/data: train apart from the rest."""
    made = fer_folders(root / "made")
    for archive, splits in {"a.zip": ("train",), "b.zip": ("validation", "test")}.items():
        with zipfile.ZipFile(root / archive, "w") as opened:
            for split in splits:
                for path in sorted((made / split).rglob("*.jpg")):
                    opened.write(path, Path("fer2013") / path.relative_to(made))
    for path in made.rglob("*.jpg"):
        path.unlink()
    return root


def fer_csv(path: Path, rows: Iterable[str] | None = None) -> Path:
    """Kaggle's csv; without rows, one picture a split and label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if rows is None:
        rows = (
            f"{label},{' '.join([str(grey(split, label))] * 2304)},{usage}"
            for split, usage in USAGE.items()
            for label in range(7)
        )
    path.write_text("emotion,pixels,Usage\n" + "\n".join(rows) + "\n")
    return path


def raf_db(root: Path) -> Path:
    """Three training and one test picture of each of RAF-DB's seven numbers."""
    lines = []
    for split, each, digits in (("train", 3, 5), ("test", 1, 4)):
        for n in range(7 * each):
            stem = f"{split}_{n + 1:0{digits}d}"
            number = n % 7 + 1
            path = root / "Image" / "aligned" / f"{stem}_aligned.jpg"
            jpeg(path, 30 * number, 100, 100, "RGB")
            lines.append(f"{stem}.jpg {number}")
    (root / "EmoLabel").mkdir()
    (root / "EmoLabel" / "list_patition_label.txt").write_text("\n".join(lines) + "\n")
    return root


def see(root: Path, lengths: Mapping[str, Sequence[int]] | None = None) -> Path:
    """Sequences of each emotion; frame k of a film has grey 10 + k, of events 110 + k."""
    words = ("angry", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
    lengths = lengths or {"training": (18, 20), "testing": (19,)}
    database, number = {}, 0
    for subset, sizes in lengths.items():
        for word in words:
            for length in sizes:
                number += 1
                name = f"{number}_{number:03d}_man_24_Master_normal_{word}_{length}_take000"
                for kind, base in (("frame", 10), ("event", 110)):
                    for k in range(length):
                        jpeg(root / kind / word / name / f"{k:05d}.jpg", base + k, 26, 34)
                marks = {"label": word, "segment": [0, length]}
                database[name] = {"subset": subset, "annotations": marks}
    labels = ["happiness", "sadness", "angry", "disgust", "surprise", "fear", "neutral"]
    (root / "emotion.json").write_text(json.dumps({"labels": labels, "database": database}))
    return root


def events_of(label: int, number: int, side: int = 30) -> Events:
    """A recording that tells its label and number: `label` + 1 events in row `number`."""
    n = label + 1
    t = 1000 * np.arange(1, n + 3)
    # The two last events span the whole sensor, so that its size can be told from the events.
    x = np.concatenate([np.arange(n) % side, [0, side - 1]])
    y = np.concatenate([np.full(n, number % side), [0, side - 1]])
    return as_events(x, y, t, np.concatenate([np.ones(n), [0, 0]]))


def n_caltech101(root: Path, counts: Mapping[str, int]) -> Path:
    """Caltech101/CLASS/image_0001.bin, numbered from 1."""
    for label, (name, count) in enumerate(sorted(counts.items())):
        folder = root / "Caltech101" / name
        folder.mkdir(parents=True)
        for n in range(1, count + 1):
            write_nmnist(folder / f"image_{n:04d}.bin", events_of(label, n))
    return root


def cep_dvs(root: Path, each: int = 10) -> Path:
    """pathFile.csv and data/MAT/img/<n>.mat; classes take turns, polarity is -1 and 1."""
    scipy = pytest.importorskip("scipy.io", reason="scipy is not installed")
    folder = root / "data" / "MAT" / "img"
    folder.mkdir(parents=True)
    lines = ["number set file fine coarse"]
    for n in range(each * len(SUPERCLASSES)):
        label = n % len(SUPERCLASSES)
        events = events_of(label, n // len(SUPERCLASSES))
        columns = {
            "x": events["x"].astype(np.float64)[None],
            "y": events["y"].astype(np.float64)[None],
            "ts": events["t"].astype(np.float64)[None],
            "p": np.where(events["p"] == 1, 1.0, -1.0)[None],
        }
        scipy.savemat(folder / f"{n}.mat", columns)
        lines.append(f"{n} train {n}.png fine_{label} {SUPERCLASSES[label]}")
    (root / "pathFile.csv").write_text("\n".join(lines) + "\n")
    return root


def cifar10_dvs(root: Path, ending: str, each: int = 10) -> Path:
    """CLASS/cifar10_CLASS_<n>.aedat or .aedat4, numbered from 0."""
    write = {".aedat": aedat2, ".aedat4": aedat4}[ending]
    for label, name in enumerate(CIFAR10):
        (root / name).mkdir(parents=True)
        for n in range(each):
            write(root / name / f"cifar10_{name}_{n}{ending}", events_of(label, n, 128))
    return root


def aedat2(path: Path, events: Events) -> None:
    """AEDAT 2.0 of a DVS128, turned so that the reader shows the events as given."""
    address = (127 - events["x"].astype(np.int64)) << 8 | (
        127 - events["y"].astype(np.int64)
    ) << 1
    address |= 1 - events["p"].astype(np.int64)
    words = np.stack([address, events["t"] + 5_000_000], 1).astype(">u4")
    # One special entry (an external input), which is no pixel.
    special = np.array([[0x8000, 5_000_001]], ">u4")
    head = (
        b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# created by a test\r\n"
    )
    path.write_bytes(head + special.tobytes() + words.tobytes())


def aedat4(path: Path, events: Events, size: tuple[int, int] = (128, 128)) -> None:
    """AEDAT 4.0, uncompressed, two packets of events; times absolute, as a camera writes them.

    FlatBuffers by hand: IOHeader {compression, dataTablePosition, infoNode}, then packets
    {stream, size, EventPacket {elements: [{t: int64, x, y: int16, on: bool}]}}.
    """
    info = (
        '<dv version="2.0"><node name="outInfo" path="/mainloop/Recorder/outInfo/">'
        '<node name="0" path="/mainloop/Recorder/outInfo/0/">'
        '<attr key="compression" type="string">NONE</attr>'
        '<attr key="originalModuleName" type="string">capture</attr>'
        '<attr key="originalOutputName" type="string">events</attr>'
        '<attr key="typeDescription" type="string">Array of events (polarity ON/OFF).</attr>'
        '<attr key="typeIdentifier" type="string">EVTS</attr>'
        '<node name="info" path="/mainloop/Recorder/outInfo/0/info/">'
        f'<attr key="sizeX" type="int">{size[1]}</attr>'
        f'<attr key="sizeY" type="int">{size[0]}</attr>'
        '<attr key="source" type="string">test</attr></node></node></node></dv>'
    ).encode()
    head = struct.pack("<I4s", 20, b"IOHE")
    head += struct.pack("<HHHHH2x", 10, 20, 4, 12, 8)  # vtable: sizes, places of the fields
    head += struct.pack("<iiIq", 12, 0, 12, -1)  # compression none, no data table
    head += struct.pack("<I", len(info)) + info + b"\0" * (4 - len(info) % 4)
    content = b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(head)) + head
    raw = np.zeros(
        len(events), [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("on", "u1"), ("_", "V3")]
    )
    raw["t"] = events["t"] + 1_605_537_493_718_345
    raw["x"], raw["y"], raw["on"] = events["x"], events["y"], events["p"]
    middle = len(raw) // 2
    for part in (raw[:middle], raw[middle:]):
        body = struct.pack("<I4s", 16, b"EVTS") + struct.pack("<HHH2x", 6, 8, 4)
        body += struct.pack("<iI4xI", 8, 8, len(part)) + part.tobytes()
        body = struct.pack("<I", len(body)) + body
        content += struct.pack("<ii", 0, len(body)) + body
    path.write_bytes(content)
