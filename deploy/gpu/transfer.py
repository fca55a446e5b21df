"""Arrays between the host and a device, beside the work that goes on on both.

Samples may lie in a file: they are read here, by several threads, into memory that the device
fetches from by itself. For torch's own CPU device the same calls merely copy.
"""

# torch's streams and events carry no types.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]
Tensor = torch.Tensor

THREADS = 16
"""Most threads that copy; more do not copy faster."""
PIECE = 2**20
"""Bytes for which a thread of its own pays."""


class Transfer:
    """Copies to and from one device; a context, whose end lets the threads go."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.on_gpu = device, device.type == "cuda"
        if self.on_gpu:  # each way a stream of its own, beside that of the work
            self.up, self.down = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self.threads = min(THREADS, os.cpu_count() or 1)
        self.pieces = ThreadPoolExecutor(self.threads)
        self.rising, self.falling = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    def __enter__(self) -> Transfer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pool in (self.rising, self.falling, self.pieces):
            pool.shutdown(cancel_futures=True)

    def here(self) -> AbstractContextManager[Any]:
        """In which torch takes the device for granted: holds for one thread."""
        return torch.cuda.device(self.device) if self.on_gpu else nullcontext()

    def upload(
        self, values: Mapping[str, Array], kinds: Mapping[str, torch.dtype]
    ) -> Callable[[], dict[str, Tensor]]:
        """Begin to copy to the device; the call makes work that is queued then wait.

        Args:
            values: whole numbers of any type.
            kinds: what they become: int8 or int32, which must hold them.
        """
        moving = self.rising.submit(self._upload, values, kinds)

        def ready() -> dict[str, Tensor]:
            moved, done = moving.result()
            if self.on_gpu:
                working = torch.cuda.current_stream(self.device)
                working.wait_event(done)
                for tensor in moved.values():
                    tensor.record_stream(working)
            return moved

        return ready

    def _upload(
        self, values: Mapping[str, Array], kinds: Mapping[str, torch.dtype]
    ) -> tuple[dict[str, Tensor], Any]:
        with self.here():
            moved = {}
            for name, array in values.items():
                host = torch.empty(array.shape, dtype=kinds[name], pin_memory=self.on_gpu)
                if array.itemsize == 1 and host.itemsize == 1:
                    array = array.view(np.int8)  # copied without a look at each value
                self._copy(array, host.numpy())
                moved[name] = host
            if not self.on_gpu:
                return moved, None
            with torch.cuda.stream(self.up):
                there = {n: h.to(self.device, non_blocking=True) for n, h in moved.items()}
                done = torch.cuda.Event()
                done.record()
            return there, done

    def download(self, pairs: Sequence[tuple[Tensor, Array]]) -> Future[None]:
        """Queue copies of tensors into arrays of the host; done when the future is."""
        if not self.on_gpu:
            return self.falling.submit(self._store, pairs, None)
        self.down.wait_stream(torch.cuda.current_stream(self.device))
        landed = []
        with torch.cuda.stream(self.down):
            for tensor, array in pairs:
                host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
                host.copy_(tensor, non_blocking=True)
                tensor.record_stream(self.down)
                landed.append((host, array))
            done = torch.cuda.Event()
            done.record()
        return self.falling.submit(self._store, landed, done)

    def _store(self, pairs: Sequence[tuple[Tensor, Array]], done: Any) -> None:
        if done is not None:
            done.synchronize()
        for tensor, array in pairs:
            self._copy(tensor.numpy(), array)

    def _copy(self, given: Array, into: Array) -> None:
        """Copy, cut along the first axis; every value must fit the other type."""
        count = max(1, min(self.threads, len(given), into.nbytes // PIECE))
        edges = [len(given) * k // count for k in range(count + 1)]

        def copy(index: int) -> None:
            part = slice(edges[index], edges[index + 1])
            np.copyto(into[part], given[part], casting="unsafe")

        list(self.pieces.map(copy, range(count)))
