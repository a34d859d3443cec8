"""Run calls side by side, and compute what they ask of a network at the same time in one batch.

The code that asks stays as it is: it calls a network and waits for the answer. Each call has a
thread. As soon as every thread waits for a network or has ended, the requests to the network that
comes first in the cascade are computed together, and their threads go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from mien.models.engine import Net
from mien.results import FloatArray

T = TypeVar("T")

Compute = Callable[[Sequence[FloatArray]], Sequence[FloatArray]]
"""The answer of a network to each of several tensors."""


class NetBatches:
    """Networks whose requests are gathered, and the calls that use them.

    Several threads may call `run` at the same time; each computes its own batches.
    """

    def __init__(self) -> None:
        self._computes: list[Compute] = []
        self._thread = threading.local()

    def net(self, compute: Compute) -> Net:
        """A network for the calls of `run`. Of several, the one that was made first goes first.

        Called from another thread, it computes at once.
        """
        stage = len(self._computes)
        self._computes.append(compute)

        def answer(pixels: FloatArray) -> FloatArray:
            run: _Run | None = getattr(self._thread, "run", None)
            return compute([pixels])[0] if run is None else run.ask(stage, pixels)

        return answer

    def run(self, calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
        """What each call returns, or the exception that it raised.

        A call must use the networks on the thread that it is given only. If a batch fails, its
        requests are computed one by one, so that one tensor does not spoil the others.
        """
        run = _Run(self._computes, len(calls))
        found: list[Any] = [None] * len(calls)

        def work(row: int) -> None:
            self._thread.run = run
            try:
                found[row] = calls[row]()
            except Exception as error:  # noqa: BLE001 - handed to the caller of `run`
                found[row] = error
            finally:
                run.ended()

        threads = [
            threading.Thread(target=work, args=(row,), name="mien-batch")
            for row in range(len(calls))
        ]
        started = 0
        try:
            for thread in threads:
                thread.start()
                started += 1
            run.answer_all()
        except BaseException as error:
            run.stop(error)
            raise
        finally:
            for thread in threads[:started]:
                thread.join()
        return cast("list[T | Exception]", found)


class _Request:
    def __init__(self, pixels: FloatArray) -> None:
        self.pixels = pixels
        self.answer: FloatArray | None = None
        self.error: BaseException | None = None
        self.is_done = threading.Event()

    def end(self, answer: FloatArray | None = None, error: BaseException | None = None) -> None:
        self.answer, self.error = answer, error
        self.is_done.set()


class _Run:
    """The requests of the calls of one `NetBatches.run`. running: calls that have not ended."""

    def __init__(self, computes: Sequence[Compute], running: int) -> None:
        self._computes = computes
        self._running = running
        self._waiting: list[list[_Request]] = [[] for _ in computes]
        self._stopped: BaseException | None = None
        self._changed = threading.Condition()

    def ask(self, stage: int, pixels: FloatArray) -> FloatArray:
        """Wait for the answer of a network. Raises what computing it raised."""
        request = _Request(pixels)
        with self._changed:
            if self._stopped is not None:
                raise RuntimeError("the batch was given up") from self._stopped
            self._waiting[stage].append(request)
            self._changed.notify()
        request.is_done.wait()
        if request.answer is None:
            assert request.error is not None  # `end` sets one of the two
            raise request.error
        return request.answer

    def ended(self) -> None:
        """A call has returned."""
        with self._changed:
            self._running -= 1
            self._changed.notify()

    def answer_all(self) -> None:
        """Compute requests until every call has returned."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: sum(map(len, self._waiting)) == self._running)
                if not self._running:
                    return
                stage = next(row for row, waiting in enumerate(self._waiting) if waiting)
                requests, self._waiting[stage] = self._waiting[stage], []
            _answer(requests, self._computes[stage])

    def stop(self, error: BaseException) -> None:
        """Let every call that waits, or will, fail."""
        with self._changed:
            self._stopped = error
            for request in (one for waiting in self._waiting for one in waiting):
                request.end(error=RuntimeError("the batch was given up"))


def _answer(requests: list[_Request], compute: Compute) -> None:
    try:
        answers = compute([request.pixels for request in requests])
        for request, answer in zip(requests, answers, strict=True):
            request.end(answer)
    except Exception as error:  # noqa: BLE001 - raised again where the answer is waited for
        if len(requests) == 1:
            requests[0].end(error=error)
            return
        for request in requests:
            if not request.is_done.is_set():
                _answer([request], compute)
    except BaseException:
        for request in requests:
            request.end(error=RuntimeError("the batch was given up"))
        raise
