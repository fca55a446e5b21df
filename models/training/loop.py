"""The loop: epochs, checkpoints, validation, early stopping. One student, one seed.

A training is a row of updates, each of which is a function of what the checkpoint holds and of
draws.py's numbers for its place. So it can be cut after any update and goes on from there, bit
by bit the same on a CPU with the same number of threads.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import DataError, FileError, Problem
from . import checkpoint, draws
from .data import Samples
from .inputs import DRAWS, vary
from .layout import channels_last
from .learners import Batch, Ensemble, Network
from .metrics import Score, better, score
from .optimise import make_optimiser, rate_at
from .recipe import Recipe
from .teaching import Teaching, pair

EVALUATED = 256
"""Items that are answered at a time."""
_TOLD_SECONDS = 1.0
_WORTH = 20
"""A checkpoint is followed by so many times its own duration of work: a teacher's is 1 GB."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training.

    Attributes:
        recipe: what to do.
        seed: of all that is drawn.
        student: the network, with fresh weights.
        train, validation: items; validation None where there is none.
        teaching: the teacher; None without one.
        folder: where checkpoint.pt and tensorboard/ lie.
        digest: of the data.
        deadline: time.monotonic() at which to stop; None: none.
        report: told how far it is.
    """

    recipe: Recipe
    seed: int
    student: Network
    train: Samples
    validation: Samples | None
    teaching: Teaching | None
    folder: Path
    digest: str
    deadline: float | None
    report: Callable[[float, str], object]


@dataclass(slots=True)
class Course:
    """How far a training is; all of it is in the checkpoint.

    Attributes:
        epoch, batch: the next update.
        sums, counts: of each term of the loss, in this epoch.
        history: one entry for each epoch done.
        best: the best epoch's number, value and weights; weights None before the first.
        seconds: of training so far, over all runs.
        resumed: how often it went on from a checkpoint.
    """

    epoch: int = 0
    batch: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float | None = None
    best: dict[str, Tensor] | None = None
    seconds: float = 0.0
    resumed: int = 0


@dataclass(frozen=True, slots=True)
class Fitted:
    """What became of a training.

    Attributes:
        weights: of the student, the best epoch's or the last.
        course: see there.
        ended: "epochs", "patience", or "time": cut by the deadline, to be gone on with.
        threads: of torch.
        channels_last: whether the convolutions had this order in memory.
    """

    weights: Mapping[str, Tensor]
    course: Course
    ended: str
    threads: int
    channels_last: bool


def fit(job: Job, fabric: Any) -> Fitted:
    """Train, from the folder's checkpoint where there is one.

    Raises:
        FileError: the checkpoint is damaged, or of another recipe, seed or data.
        DataError: the loss is no number any more.
    """
    recipe, training = job.recipe, job.recipe.training
    learner: nn.Module = recipe.method.learner(job.student)
    ordered = training.channels_last and channels_last(learner)
    optimiser = make_optimiser(learner, recipe.optimiser)
    wrapped, steered = fabric.setup(learner, optimiser)
    course = _restore(job, learner, optimiser, fabric)
    log = _log(job, fabric, course)
    updates = max(1, len(job.train) // training.batch)
    began, saved, told = time.monotonic(), time.monotonic(), 0.0
    before, ended, pause = course.seconds, "", training.checkpoint_seconds

    def save() -> None:
        course.seconds = before + time.monotonic() - began
        _finite(course)
        if fabric.global_rank == 0:
            _save(job, learner, optimiser, fabric, course)

    try:
        while course.epoch < training.epochs and not _patience_gone(course, training.patience):
            order = draws.order(len(job.train), job.seed, course.epoch)
            learner.train()
            while course.batch < updates:
                chosen = order[course.batch * training.batch :][: training.batch]
                _update(job, course, updates, chosen, wrapped, steered, fabric)
                course.batch += 1
                now = time.monotonic()
                if now - saved >= pause:
                    save()
                    saved = time.monotonic()
                    pause = max(training.checkpoint_seconds, _WORTH * (saved - now))
                if now - told >= _TOLD_SECONDS:
                    told = now
                    job.report(*_how_far(course, updates, training.epochs))
                if _time_is_up(job, fabric):
                    ended = "time"
                    break
            if ended:
                break
            _end_epoch(job, course, fabric, log)
    finally:
        if log is not None:
            log.close()
    save()
    last = training.keep == "last" or course.best is None
    weights = _weights(job.student) if last else course.best
    assert weights is not None
    ended = ended or _reason(course, training.epochs)
    return Fitted(weights, course, ended, torch.get_num_threads(), ordered)


def _update(
    job: Job,
    course: Course,
    updates: int,
    chosen: Tensor,
    wrapped: Any,
    steered: Any,
    fabric: Any,
) -> None:
    """One step of the optimiser."""
    recipe, optimiser = job.recipe, job.recipe.optimiser
    place = (job.seed, course.epoch, course.batch)
    moment = course.epoch + course.batch / updates
    for group in steered.param_groups:
        group["lr"] = rate_at(
            moment, recipe.training.epochs, optimiser.learning_rate, recipe.schedule
        )
    batch = make_batch(job, chosen, place, moment / recipe.training.epochs, fabric)
    torch.manual_seed(
        draws.seed_of(job.seed, draws.LAYERS, course.epoch, course.batch, fabric.global_rank)
    )
    steered.zero_grad()
    terms = wrapped(batch)
    fabric.backward(terms["total"])
    if optimiser.gradient_clip:
        fabric.clip_gradients(wrapped, steered, max_norm=optimiser.gradient_clip)
    steered.step()
    for name, term in terms.items():
        value = term.detach().double()
        course.sums[name] = course.sums[name] + value if name in course.sums else value
        course.counts[name] = course.counts.get(name, 0) + 1


def make_batch(
    job: Job, chosen: Tensor, place: tuple[int, int, int], progress: float, fabric: Any
) -> Batch:
    """A batch of the training, this device's share of it, varied."""
    seed, epoch, number = place
    rank, world = fabric.global_rank, fabric.world_size
    chosen = chosen[rank::world]
    paired = draws.generator(seed, draws.PAIRING, epoch, number, rank)
    train = job.train
    device = train.labels.device
    fields, labels = train.at(chosen.to(device)), train.labels[chosen.to(device)]
    stills = None
    if job.recipe.method.name == "ckd":
        stills = pair(train, chosen, job.recipe.data.pairing, paired)
        source = train.stills or train
        fields["picture"] = source.fields["picture"][stills.to(device)]
    replaced = torch.rand(len(chosen), generator=paired).to(fabric.device)
    # What is small stays in memory on the CPU; on a GPU everything is there already.
    fields = {name: values.to(fabric.device) for name, values in fields.items()}
    variation = draws.generator(seed, draws.VARIATION, epoch, number, rank)
    drawn = torch.rand(DRAWS, len(chosen), generator=variation)
    asked = chosen if stills is None else stills
    view = torch.zeros_like(asked)
    if job.teaching is not None:
        drawn, view = job.teaching.choose(asked, drawn, variation)
    mirrored = torch.zeros(len(chosen), dtype=torch.bool)
    if not job.recipe.augmentation.none:
        fields, mirrored = vary(fields, job.recipe.augmentation, drawn)
    teacher = None
    if job.teaching is not None:
        teacher = job.teaching.logits(fields, asked, mirrored, view)
    return Batch(fields, labels.to(fabric.device), teacher, progress, replaced)


@torch.no_grad()
def evaluate(
    student: Network | Ensemble, samples: Samples, fabric: Any
) -> tuple[Score, Tensor]:
    """Score a network on items; also its logits (N, classes)."""
    was = student.training
    student.eval()
    logits = []
    for start in range(0, len(samples), EVALUATED):
        at = torch.arange(start, min(start + EVALUATED, len(samples)))
        fields = samples.at(at.to(samples.labels.device))
        with fabric.autocast():
            answer = student.decide({k: v.to(fabric.device) for k, v in fields.items()})
        logits.append(answer.cpu())
    student.train(was)
    together = torch.cat(logits)
    return score(together, samples.labels), together


def _end_epoch(job: Job, course: Course, fabric: Any, log: Any) -> None:
    """Validate, remember the best, write to TensorBoard, turn the page."""
    _finite(course)
    losses = {name: float(total) / course.counts[name] for name, total in course.sums.items()}
    entry: dict[str, Any] = {"epoch": course.epoch + 1, "loss": losses}
    if job.validation is not None:
        found, _ = evaluate(job.student, job.validation, fabric)
        values = asdict(found)
        entry["validation"] = {name: values[name] for name in ("war", "uar", "f1", "loss")}
        value = float(values[job.recipe.training.monitor])
        if better(value, course.best_value, job.recipe.training.monitor):
            course.best_value, course.best_epoch = value, course.epoch + 1
            course.best = _weights(job.student)
    course.history.append(entry)
    course.epoch, course.batch = course.epoch + 1, 0
    course.sums, course.counts = {}, {}
    if log is not None:
        _write_log(log, entry)


def _weights(student: Network) -> dict[str, Tensor]:
    state = student.network.state_dict()
    return {name: each.detach().cpu().clone().contiguous() for name, each in state.items()}


def _time_is_up(job: Job, fabric: Any) -> bool:
    """The first process decides for all: they must do the same updates."""
    if job.deadline is None:
        return False
    return bool(fabric.broadcast(time.monotonic() > job.deadline))


def _reason(course: Course, epochs: int) -> str:
    return "epochs" if course.epoch == epochs else "patience"


def _patience_gone(course: Course, patience: int) -> bool:
    return bool(patience) and course.epoch - course.best_epoch >= patience


def _finite(course: Course) -> None:
    broken = [name for name, total in course.sums.items() if not torch.isfinite(total)]
    if broken:
        raise DataError(
            f"the loss is no number any more: {', '.join(broken)}",
            where=f"epoch {course.epoch + 1}, up to batch {course.batch}",
            remedy="a smaller optimiser.learning_rate, or a warm-up; --resume goes back to "
            "the last checkpoint",
        )


def _how_far(course: Course, updates: int, epochs: int) -> tuple[float, str]:
    fraction = (course.epoch + course.batch / updates) / epochs
    loss = float(course.sums["total"]) / course.counts["total"]
    told = f"epoch {course.epoch + 1} of {epochs}, loss {loss:.4f}"
    if course.best_value is not None:
        told += f", best on validation {course.best_value:.4f}"
    return fraction, told


def _save(job: Job, learner: nn.Module, optimiser: Any, fabric: Any, course: Course) -> None:
    course_state = {name: getattr(course, name) for name in Course.__slots__}
    checkpoint.write(
        job.folder / "checkpoint.pt",
        {
            "recipe": comparable(job.recipe),
            "seed": job.seed,
            "data": job.digest,
            "threads": torch.get_num_threads(),
            "learner": learner.state_dict(),
            "optimiser": optimiser.state_dict(),
            "precision": fabric.strategy.precision.state_dict(),
            "course": course_state,
        },
    )


def _restore(job: Job, learner: nn.Module, optimiser: Any, fabric: Any) -> Course:
    path = job.folder / "checkpoint.pt"
    state = checkpoint.read(path)
    if state is None:
        return Course()
    now = {"recipe": comparable(job.recipe), "seed": job.seed, "data": job.digest}
    remedy = "go on with what it was begun with, or train into another folder"
    told = [
        Problem(f"{name} was {was!r} and is {given!r}", str(path), remedy)
        for name, was, given in _differences({key: state[key] for key in now}, now)
    ]
    if told:
        raise FileError(Problem("the checkpoint is of another training", str(path)), *told)
    learner.load_state_dict(state["learner"])
    optimiser.load_state_dict(state["optimiser"])
    fabric.strategy.precision.load_state_dict(state["precision"])
    torch.set_num_threads(state["threads"])
    course = Course(**state["course"])
    course.resumed += 1
    return course


def comparable(recipe: Recipe) -> dict[str, Any]:
    """What must not change when a training goes on."""
    plain = copy.deepcopy(recipe.as_dict())
    for key in ("name", "about", "baseline", "deviations", "teacher"):
        plain.pop(key, None)
    for key in ("workers", "threads", "checkpoint_seconds"):
        plain["training"].pop(key)
    asked = recipe.teacher and (recipe.teacher.sees, recipe.teacher.views)
    if asked and asked != ("varied", 0):  # as in what was written before there were views
        plain["teacher"] = {"sees": asked[0], "views": asked[1]}
    return plain


def _differences(was: Any, now: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(was, dict) and isinstance(now, dict):
        return [
            found
            for key in dict.fromkeys((*was, *now))
            for found in _differences(was.get(key), now.get(key), f"{place}.{key}".strip("."))
        ]
    return [] if was == now else [(place, was, now)]


def _log(job: Job, fabric: Any, course: Course) -> Any:
    if fabric.global_rank:
        return None
    from torch.utils.tensorboard import SummaryWriter

    # What a killed run wrote beyond its checkpoint is taken back.
    purge = course.epoch + 1 if course.resumed else None
    return SummaryWriter(str(job.folder / "tensorboard"), purge_step=purge)


def _write_log(log: Any, entry: dict[str, Any]) -> None:
    for table in ("loss", "validation"):
        for name, value in entry.get(table, {}).items():
            log.add_scalar(f"{table}/{name}", value, entry["epoch"])
    log.flush()
