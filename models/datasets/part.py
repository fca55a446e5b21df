"""One split of a data set: a list of items, each read when it is asked for."""

from __future__ import annotations

import multiprocessing
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import DataError, FileError, Problem, UsageError
from ..needs import require

T = TypeVar("T")
U = TypeVar("U")

CHUNK = 256
"""Items that a worker process reads at a time where no batch size is given."""


class Pair(NamedTuple):
    """A picture and what an event camera saw of it."""

    picture: Any
    recording: Any


class Clip(NamedTuple):
    """Steps of a film: intensity frames and accumulated events, each (T, 1, H, W), uint8."""

    frames: Any
    events: Any


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One split of a data set. `part[i]` reads item i: (value, label).

    It is a map-style data set: torch's DataLoader takes it as it is.

    Attributes:
        name: of the data set; says "simulated" where it is.
        split: "train", "validation", "test", ...
        classes: class names in the order of the labels.
        keys: one per item, what `read` takes; its text says where the item lies.
        labels: (N,), index into classes.
        read: key -> value: a picture (C, H, W), a Recording, a Clip or a Pair.
        notes: what a table made from this data must say (origin, splits, our readings).
        simulated: nobody recorded this; every table must say so.
    """

    name: str
    split: str
    classes: tuple[str, ...]
    keys: Sequence[Any]
    labels: NDArray[np.int64]
    read: Callable[[Any], T]
    notes: tuple[str, ...] = ()
    simulated: bool = False

    def __len__(self) -> int:
        """Number of items."""
        return len(self.keys)

    def __getitem__(self, index: int) -> tuple[T, int]:
        """Read one item. Raises FileError or DataError if it cannot be used."""
        return self.read(self.keys[index]), int(self.labels[index])

    def select(self, indices: ArrayLike) -> Part[T]:
        """The same split with some of its items, in the given order."""
        chosen = np.asarray(indices, np.int64)
        return replace(self, keys=[self.keys[i] for i in chosen], labels=self.labels[chosen])

    def without(self, indices: ArrayLike) -> Part[T]:
        """The same split without some of its items."""
        kept = np.ones(len(self), bool)
        kept[np.asarray(indices, np.int64)] = False
        return self.select(np.flatnonzero(kept))

    def through(self, function: Callable[[T], U]) -> Part[U]:
        """The same items, each changed by a function when it is read.

        With worker processes the function must be picklable: a function of a module, or an
        object such as ToFrames.
        """
        changed: Part[Any] = replace(self, read=Through(self.read, function))
        return changed

    def batches(
        self, size: int, *, order: ArrayLike | None = None, workers: int = 0
    ) -> Iterator[tuple[Any, NDArray[np.int64]]]:
        """Read in batches: (values, labels).

        Values are stacked along a new first axis where they are arrays, or tuples of arrays;
        else they are a list. All problems of a batch are raised at once.

        Args:
            size: items a batch; the last may be smaller.
            order: indices of the items to read; without it all, from the first on.
            workers: processes that read ahead; 0: this process reads. They are started
                afresh (spawn): a script that uses them needs `if __name__ == "__main__"`.

        Raises:
            FileError, DataError: items cannot be used.
            UsageError: the size is not positive, or worker processes cannot do the work.
        """
        if size < 1:
            raise UsageError(f"a batch of {size} items", remedy="at least 1")
        chosen = np.arange(len(self)) if order is None else np.asarray(order, np.int64)
        groups = [chosen[i : i + size] for i in range(0, len(chosen), size)]
        for group, (values, problems) in zip(
            groups, self._outcomes(groups, workers), strict=True
        ):
            if problems:
                raise FileError(*problems)
            yield _stack(values), self.labels[group]

    def arrays(self, *, workers: int = 0) -> tuple[Any, NDArray[np.int64]]:
        """Everything at once: values (N, ...) and labels (N,); all problems at once."""
        groups = _chunks(len(self))
        values: list[Any] = []
        problems: list[Problem] = []
        for found, wrong in self._outcomes(groups, workers):
            values += found
            problems += wrong
        if problems:
            raise FileError(*shorten(problems))
        return _stack(values), self.labels

    def problems(self, *, workers: int = 0) -> list[Problem]:
        """Read every item and say what is wrong with which: unreadable, wrong size, ..."""
        checked = replace(self, read=_Drop(self.read))  # type: ignore[arg-type]
        outcomes = checked._outcomes(_chunks(len(self)), workers)
        return [problem for _, problems in outcomes for problem in problems]

    def _outcomes(
        self, groups: Sequence[NDArray[np.int64]], workers: int
    ) -> Iterator[tuple[list[Any], list[Problem]]]:
        tasks = ([self.keys[i] for i in group] for group in groups)
        if workers < 1:
            for keys in tasks:
                yield _read_all(self.read, keys)
            return
        _check_picklable(self.read)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            waiting: deque[Future[tuple[list[Any], list[Problem]]]] = deque()
            try:
                for keys in tasks:
                    waiting.append(pool.submit(_read_all, self.read, keys))
                    if len(waiting) > 2 * workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BrokenProcessPool as error:
                raise UsageError(
                    f"a worker process ended before its work was done ({error})",
                    remedy="start the program below `if __name__ == '__main__'`, give "
                    "Part.through a function of a module that can be imported, and take fewer "
                    "workers or smaller batches if memory ran out",
                ) from error
            finally:
                for future in waiting:
                    future.cancel()


@dataclass(frozen=True, slots=True)
class Through:
    """One function after another, picklable."""

    first: Callable[[Any], Any]
    then: Callable[[Any], Any]

    def __call__(self, key: Any) -> Any:
        """then(first(key))."""
        return self.then(self.first(key))


@dataclass(frozen=True, slots=True)
class _Drop:
    """Reads and forgets: only the problems count."""

    read: Callable[[Any], Any]

    def __call__(self, key: Any) -> None:
        self.read(key)


@dataclass(frozen=True, slots=True)
class ReadPicture:
    """Reads a picture file as (C, H, W), uint8.

    Attributes:
        height, width: expected size, pixels; 0: any.
        channels: 1 grey, 3 red green blue.
    """

    height: int
    width: int
    channels: int = 1

    def __call__(self, key: Any) -> NDArray[np.uint8]:
        """Read the file that a key names. Raises FileError, MissingDependency."""
        return self.decode(key, str(key))

    def decode(self, source: Any, where: str) -> NDArray[np.uint8]:
        """Read from a path or an open file; `where` names it in errors."""
        image = require("PIL.Image", "read pictures")
        try:
            with image.open(source) as picture:
                pixels = np.asarray(picture.convert("L" if self.channels == 1 else "RGB"))
        except FileNotFoundError:
            raise FileError(
                Problem("the picture does not exist", where, "copy it again")
            ) from None
        except (OSError, ValueError, SyntaxError) as error:
            # Pillow's text names memory addresses: it is of no use to anybody.
            kind = "no picture" if "identify" in str(error) else str(error)
            raise FileError(
                Problem(f"the picture cannot be decoded ({kind})", where, "copy it again")
            ) from None
        height, width = pixels.shape[:2]
        if (self.height and height != self.height) or (self.width and width != self.width):
            raise FileError(
                Problem(
                    f"the picture is {width}x{height}, expected {self.width}x{self.height}",
                    where,
                    "use the data set's own pictures, unscaled",
                )
            )
        return pixels[None] if self.channels == 1 else np.moveaxis(pixels, -1, 0)


def scaled(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """A picture (C, H, W) in another size, bilinearly (each pixel's area when it shrinks)."""
    image = require("PIL.Image", "scale pictures")
    if picture.shape[1:] == (height, width):
        return picture
    planes = [
        np.asarray(image.fromarray(plane).resize((width, height), image.Resampling.BILINEAR))
        for plane in picture
    ]
    return np.stack(planes)


def shorten(problems: Sequence[Problem]) -> list[Problem]:
    """The first 20 problems, and how many more there are."""
    shown = list(problems[:20])
    if len(problems) > len(shown):
        shown.append(Problem(f"{len(problems) - len(shown)} more problems are not shown"))
    return shown


def _check_picklable(read: Callable[[Any], Any]) -> None:
    try:
        pickle.dumps(read)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"worker processes cannot be given what reads the items ({error})",
            remedy="give Part.through a function of a module, no lambda and no inner function",
        ) from error


def _chunks(count: int) -> list[NDArray[np.int64]]:
    return [np.arange(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]


def _read_all(
    read: Callable[[Any], Any], keys: Sequence[Any]
) -> tuple[list[Any], list[Problem]]:
    values, problems = [], []
    for key in keys:
        try:
            values.append(read(key))
        except (FileError, DataError) as error:
            problems += [_placed(problem, key) for problem in error.problems]
    return values, problems


def _placed(problem: Problem, key: Any) -> Problem:
    return problem if problem.where else replace(problem, where=str(key))


def _stack(values: list[Any]) -> Any:
    if values and all(type(value) is tuple or hasattr(value, "_fields") for value in values):
        columns = [_stack(list(column)) for column in zip(*values, strict=True)]
        kind = type(values[0])
        return kind(*columns) if hasattr(kind, "_fields") else tuple(columns)
    if not values or not all(isinstance(value, np.ndarray) for value in values):
        return values
    shapes = {value.shape for value in values}
    if len(shapes) > 1 or values[0].dtype.names:
        if values[0].dtype.names:
            return values
        raise DataError(
            Problem(
                f"the items differ in shape: {', '.join(map(str, sorted(shapes)[:5]))}",
                remedy="bring them to one size with Part.through",
            )
        )
    return np.stack(values)
