"""One real worker process: what it may see, what it may say, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mien.bulk.worker import Worker, WorkerEnded, WorkerFailed
from mien.errors import NoFaceFound

Do = Callable[[str], Iterator[object]]


def _load() -> Do:
    return _do


def _load_and_die() -> Do:
    os._exit(3)


def _do(task: str) -> Iterator[object]:
    yield task
    if task == "die":
        os._exit(7)
    if task == "hang":
        threading.Event().wait()
    if task == "hang in C":
        _hang_without_python()
    if task == "no face":
        raise NoFaceFound("no face found; move closer")
    if task == "bug":
        raise KeyError("a bug")
    if task == "print":
        print("this is no answer")
        os.write(1, b"nor is this")
    if task == "environment":
        yield dict(os.environ)
    if task == "modules":
        yield "__mp_main__" in sys.modules, os.getpid()
    if task == "array":
        yield np.arange(3, dtype=np.float32)


def _hang_without_python() -> None:
    """Never lets go of Python's lock, as a decoder in C that loops for ever."""
    import ctypes

    ctypes.PyDLL(None).pause()


@pytest.fixture
def worker() -> Iterator[Worker[str]]:
    one: Worker[str] = Worker(_load, limit_s=20.0)
    yield one
    one.close()


def test_results_come_as_plain_data(worker: Worker[str]) -> None:
    found = list(worker.results("array"))
    assert found[0] == "array"
    np.testing.assert_array_equal(found[1], [0, 1, 2])


def test_one_process_answers_task_after_task(worker: Worker[str]) -> None:
    [_, (_, first)], [_, (_, second)] = (list(worker.results("modules")) for _ in range(2))
    assert first == second != os.getpid()


def test_no_secret_of_the_environment_reaches_the_process(
    worker: Worker[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "MIEN_VAULT", "GOOGLE_APPLICATION_CREDENTIALS", "HOME"):
        monkeypatch.setenv(name, "a secret")
    _, environment = worker.results("environment")
    assert "a secret" not in environment.values()
    assert "PATH" in environment


def test_what_a_library_prints_is_no_answer(worker: Worker[str]) -> None:
    assert list(worker.results("print")) == ["print"]


def test_an_error_of_mien_is_raised_as_itself(worker: Worker[str]) -> None:
    with pytest.raises(NoFaceFound, match="move closer"):
        list(worker.results("no face"))
    assert list(worker.results("next")) == ["next"]


def test_any_other_error_is_a_failure_of_the_worker(worker: Worker[str]) -> None:
    with pytest.raises(WorkerFailed, match="KeyError: 'a bug'"):
        list(worker.results("bug"))


def test_a_process_that_ends_says_how_and_the_next_task_gets_a_new_one(
    worker: Worker[str],
) -> None:
    results = worker.results("die")
    assert next(results) == "die"
    with pytest.raises(WorkerEnded) as ended:
        next(results)
    assert (ended.value.code, ended.value.hung, ended.value.loaded) == (7, False, True)
    assert list(worker.results("next")) == ["next"]


def test_a_process_that_ends_while_it_loads_has_not_loaded() -> None:
    with pytest.raises(WorkerEnded) as ended:
        list(Worker(_load_and_die, limit_s=20.0).results("x"))
    assert (ended.value.code, ended.value.loaded) == (3, False)


@pytest.mark.parametrize("task", ["hang", "hang in C"])
def test_a_result_that_takes_too_long_ends_the_process(task: str) -> None:
    worker: Worker[str] = Worker(_load, limit_s=0.5)
    results = worker.results(task)
    next(results)
    with pytest.raises(WorkerEnded) as ended:
        next(results)
    assert ended.value.hung
    assert ended.value.code == -signal.SIGKILL
    worker.close()


def test_an_abandoned_task_ends_its_process(worker: Worker[str]) -> None:
    results = worker.results("hang")
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert list(worker.results("next")) == ["next"]


def test_closing_ends_the_task_of_another_thread(worker: Worker[str]) -> None:
    ended = threading.Event()
    begun = threading.Event()

    def work() -> None:
        try:
            for _ in worker.results("hang"):
                begun.set()
        except WorkerEnded:
            ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    worker.close()
    thread.join(60)
    assert ended.is_set()
    with pytest.raises(WorkerEnded):
        list(worker.results("more"))
