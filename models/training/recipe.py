"""What a recipe says: one frozen dataclass a table of the TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

from .tables import limited

Monitor: TypeAlias = Literal["war", "uar", "f1", "loss"]
Precision: TypeAlias = Literal["32-true", "bf16-mixed", "16-mixed"]
Set: TypeAlias = Literal[
    "digits",
    "fer2013",
    "raf-db",
    "see",
    "dsee",
    "n-caltech101",
    "cep-dvs",
    "cifar10-dvs",
]


@dataclass(frozen=True, slots=True)
class Data:
    """Table [data]: what is learned from.

    Attributes:
        name: data set: scikit-learn's digits, or one of models/datasets.
        film: "saccades": the pictures under three saccades, seen by a simulated event camera;
            "eyes": the right eye of each face, filmed; both are SIMULATED.
        film_size: height and width of the simulated sensor, pixel.
        film_seed: of the simulated camera; not the seed of the training.
        crop: left, top, width, height of what is seen of each picture, pixel; empty: all.
        size: height and width to which digits are enlarged; 0: 8.
        duplicates: "drop": training pictures that also occur in another split are left out.
        limit: items of each split, the first of a fixed random order; 0: all.
        validation: share of the training items that validate, where the data set has no
            validation split of its own.
        steps, stride: frames of a clip or event frames of a recording, and frames between two
            of a clip.
        pairing: which still picture stands beside a recording in CKD: one of the same class,
            drawn anew each time, or the recording's own.
    """

    name: Set
    film: Literal["none", "saccades", "eyes"] = "none"
    film_size: int = limited(48, 8, 1024)
    film_seed: int = limited(0, 0)
    crop: tuple[int, ...] = ()
    size: int = limited(0, 0, 1024)
    duplicates: Literal["drop", "keep"] = "drop"
    limit: int = limited(0, 0)
    validation: float = limited(0.1, 0.0, 0.9)
    steps: int = limited(4, 1, 1000)
    stride: int = limited(4, 1, 1000)
    pairing: Literal["class", "item"] = "class"


@dataclass(frozen=True, slots=True)
class Input:
    """Table [input]: how the network sees the data, (grey / 255 - mean) / std.

    Attributes:
        size: height and width to which pictures and frames are scaled; 0: as they are.
        channels: grey is repeated, colour made grey (the mean); 0: as they are.
        mean, std: one number, or one a channel.
        event_mean, event_std: of SEE's accumulated events, which are pictures, too.
        clip: largest number of events a pixel, channel and step that is told; 0: all.
    """

    size: int = limited(0, 0, 1024)
    channels: int = limited(0, 0, 3)
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    event_mean: float = 0.0
    event_std: float = 1.0
    clip: int = limited(0, 0)


@dataclass(frozen=True, slots=True)
class Teacher:
    """Table [teacher]: who teaches.

    Attributes:
        recipe: says the teacher's network and input, and how it is trained where there is no
            checkpoint. Name of a recipe, or a file beside this one.
        checkpoint: its weights, a file or the folder of its training, relative to this file.
        sees: "varied": what the student sees. "original": the item before it was moved, zoomed,
            turned or erased, mirrored where the student's is; its answers are then computed
            once. "both": as "original", the mean of the logits for item and mirror image.
        views: each item has so many variations, drawn once (mirrored or not anew each time);
            the teacher answers to these, once, to their mirror images, too, and with "both" as
            the mean of the two. 0: variations are drawn anew each time.
    """

    recipe: str
    checkpoint: str = ""
    sees: Literal["varied", "original", "both"] = "varied"
    views: int = limited(0, 0, 1000)


@dataclass(frozen=True, slots=True)
class Optimiser:
    """Table [optimiser].

    Attributes:
        name, learning_rate, momentum, nesterov, weight_decay: torch's.
        decay_all: biases and batch norm's scales decay, too.
        gradient_clip: largest norm of all gradients together; 0: any.
    """

    name: Literal["sgd", "adam", "adamw"] = "adamw"
    learning_rate: float = limited(1e-3, 1e-12, 1e3)
    momentum: float = limited(0.9, 0.0, 1.0)
    nesterov: bool = False
    weight_decay: float = limited(0.0, 0.0)
    decay_all: bool = True
    gradient_clip: float = limited(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Table [schedule]: the learning rate over the training.

    Attributes:
        name: constant; cosine, down to `minimum` at the end; exponential, times `factor` after
            each epoch.
        warm_up: epochs of linear rise from `warm_up_rate`.
        warm_up_rate, minimum: learning rates.
        factor: see above.
    """

    name: Literal["constant", "cosine", "exponential"] = "constant"
    warm_up: float = limited(0.0, 0.0)
    warm_up_rate: float = limited(0.0, 0.0)
    minimum: float = limited(0.0, 0.0)
    factor: float = limited(1.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Table [augmentation], of pictures and films, the same for all frames of an item.

    Attributes:
        flip: half of the items are mirrored.
        shift: largest displacement, fraction of the side.
        zoom: largest change of size, fraction.
        turn: largest angle, degree.
        erase: share of the side of a square that is set to the item's mean grey.
    """

    flip: bool = False
    shift: float = limited(0.0, 0.0, 0.5)
    zoom: float = limited(0.0, 0.0, 0.9)
    turn: float = limited(0.0, 0.0, 180.0)
    erase: float = limited(0.0, 0.0, 1.0)

    @property
    def none(self) -> bool:
        """Whether every item is seen as it is."""
        return not self.flip and self.mirrors_only

    @property
    def mirrors_only(self) -> bool:
        """Whether an item is seen in two ways at most."""
        return not (self.shift or self.zoom or self.turn or self.erase)


@dataclass(frozen=True, slots=True)
class Training:
    """Table [training].

    Attributes:
        epochs: passes over the training items.
        batch: items an update, over all devices.
        patience: epochs without a better `monitor` on validation after which it ends; 0: none.
        monitor: what is better: larger war, uar or f1, or smaller loss, on validation.
        keep: which weights are the result: those of the best epoch, or the last.
        precision: of the multiplications; the weights are always 32 bits.
        channels_last: convolutions with the channels innermost in memory.
        workers: processes that read the data before the training.
        threads: of torch on CPUs; 0: torch's own number.
        checkpoint_seconds: from checkpoint to checkpoint; more where writing one takes more
            than a twentieth of it.
    """

    epochs: int = limited(10, 1)
    batch: int = limited(64, 2)
    patience: int = limited(0, 0)
    monitor: Monitor = "war"
    keep: Literal["best", "last"] = "best"
    precision: Precision = "32-true"
    channels_last: bool = True
    workers: int = limited(0, 0, 256)
    threads: int = limited(0, 0, 1024)
    checkpoint_seconds: float = limited(30.0, 0.0)


@dataclass(frozen=True, slots=True)
class Quantise:
    """Table [quantise]: after the training, fine-tuning in the integers of the target.

    Attributes:
        code: "sigma-delta": the forward pass is that of `slipway compile --code sigma-delta`.
        weight_bits: as in `slipway compile --weight-bits`.
        start: weights, or the folder of a training, to begin with in place of this recipe's own
            training; counts from where slipway is started.
        epochs, learning_rate: of the fine-tuning, which has no warm-up; the rest is the
            recipe's.
    """

    code: Literal["sigma-delta"] = "sigma-delta"
    weight_bits: int = limited(8, 2, 8)
    start: str = ""
    epochs: int = limited(4, 1)
    learning_rate: float = limited(2e-4, 1e-12, 1e3)


@dataclass(frozen=True, slots=True)
class Network:
    """Table [network]: one of models/networks.py, and options of its builder."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe; the tables are described with their classes.

    Attributes:
        name: of its file, without .toml.
        file: where it was read.
        paper: where student and method come from.
        about: what it trains, in a sentence.
        method: a dataclass of learners.METHODS.
        seeds: one training for each.
        baseline: the same student is also trained without its teacher.
        deviations: where this departs from the paper, beside docs/students.md.
    """

    name: str
    file: str
    paper: str
    about: str
    data: Data
    network: Network
    method: Any
    input: Input = Input()
    teacher: Teacher | None = None
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    training: Training = Training()
    quantise: Quantise | None = None
    seeds: tuple[int, ...] = (0,)
    baseline: bool = False
    deviations: tuple[str, ...] = ()

    def without_teacher(self) -> Recipe:
        """The same student with every term that needs the teacher left out."""
        return replace(self, method=self.method.without_teacher(), teacher=None, baseline=False)

    def fine_tuning(self) -> Recipe:
        """The recipe as its last stage sees it: itself, where nothing is quantised."""
        if self.quantise is None:
            return self
        return replace(
            self,
            optimiser=replace(self.optimiser, learning_rate=self.quantise.learning_rate),
            schedule=replace(self.schedule, warm_up=0.0),
            training=replace(self.training, epochs=self.quantise.epochs),
        )

    def as_dict(self) -> dict[str, Any]:
        """What decides the result, as plain values: to write down and to compare."""
        tables = {k: v for k, v in asdict(self).items() if k not in ("file", "seeds")}
        if self.quantise is None:
            del tables["quantise"]  # as in what was written before there was such a table
        tables["method"] = {"name": self.method.name, **asdict(self.method)}
        return tables
