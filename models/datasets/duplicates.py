"""Pictures that occur more than once, pixel by pixel."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .part import Part

Place = tuple[str, int]
"""Split and index of an item."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of identical pictures.

    Attributes:
        items: pictures in all splits.
        distinct: different ones among them.
        groups: places of each group of two or more, in the order of splits and indices.
        labels: the labels of each group's members.
        drop: indices into train of the pictures that also occur in another split: without
            them no test or validation picture has been seen in training.
        twins: split -> bool, one per item: the same picture is in train; for all splits but
            train.
        surplus: indices into train of pictures that repeat an earlier one of train.
    """

    items: int
    distinct: int
    groups: tuple[tuple[Place, ...], ...]
    labels: tuple[tuple[int, ...], ...]
    drop: NDArray[np.int64]
    twins: Mapping[str, NDArray[np.bool_]]
    surplus: NDArray[np.int64]

    @property
    def crossing(self) -> dict[tuple[str, ...], int]:
        """Number of groups that lie in several splits, by these splits."""
        counts: dict[tuple[str, ...], int] = defaultdict(int)
        for group in self.groups:
            splits = tuple(dict.fromkeys(split for split, _ in group))
            if len(splits) > 1:
                counts[splits] += 1
        return dict(counts)

    @property
    def contradictory(self) -> tuple[tuple[Place, ...], ...]:
        """The groups whose members do not all carry the same label."""
        return tuple(
            group
            for group, labels in zip(self.groups, self.labels, strict=True)
            if len(set(labels)) > 1
        )

    def summary(self) -> dict[str, int]:
        """The counts, for a report."""
        counts = {
            "items": self.items,
            "distinct": self.distinct,
            "groups": len(self.groups),
            "groups across splits": sum(self.crossing.values()),
            "groups with contradictory labels": len(self.contradictory),
            "train items to drop": len(self.drop),
            "train items that repeat another": len(self.surplus),
        }
        for split, twins in self.twins.items():
            counts[f"{split} items with a twin in train"] = int(twins.sum())
        return counts


def find_duplicates(parts: Mapping[str, Part[Any]], *, workers: int = 0) -> Duplicates:
    """Compare all pictures of all splits by their exact pixels (BLAKE2b of the array).

    Near-duplicates (scaled, cropped, encoded again) are not found.

    Args:
        parts: split -> part, "train" among them; items are arrays.
        workers: processes that read.

    Raises:
        FileError: pictures cannot be read; all of a batch at once.
    """
    places: dict[bytes, list[Place]] = defaultdict(list)
    for split, part in parts.items():
        index = 0
        for digests, _ in part.through(fingerprint).batches(256, workers=workers):
            for digest in digests:
                places[digest].append((split, index))
                index += 1
    groups = tuple(tuple(group) for group in places.values() if len(group) > 1)
    twins = {
        split: np.zeros(len(part), bool) for split, part in parts.items() if split != "train"
    }
    drop, surplus = [], []
    for group in groups:
        in_train = [index for split, index in group if split == "train"]
        surplus += in_train[1:]
        others = [place for place in group if place[0] != "train"]
        if in_train and others:
            drop += in_train
            for split, index in others:
                twins[split][index] = True
    return Duplicates(
        sum(map(len, parts.values())),
        len(places),
        groups,
        tuple(tuple(int(parts[split].labels[i]) for split, i in group) for group in groups),
        np.array(sorted(drop), np.int64),
        twins,
        np.array(sorted(surplus), np.int64),
    )


def fingerprint(picture: NDArray[Any]) -> bytes:
    """A picture's shape, type and pixels as 16 bytes."""
    digest = hashlib.blake2b(repr((picture.shape, picture.dtype.str)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(picture).data)
    return digest.digest()
