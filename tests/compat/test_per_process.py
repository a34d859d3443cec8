"""A loaded model belongs to one process; every other one opens it again."""

from __future__ import annotations

import multiprocessing
import os
import pickle

import pytest

from mien.compat.per_process import PerProcess


class Session:
    """Ends the process that frees it, as an engine hangs the process that does."""

    def __init__(self) -> None:
        self.process = os.getpid()

    def __del__(self) -> None:
        if self.process != os.getpid():
            os._exit(3)


def test_it_is_opened_once_in_a_process() -> None:
    opened: list[int] = []
    model = PerProcess(lambda: opened.append(1) or len(opened))
    assert [model.get(), model.get()] == [1, 1]
    assert PerProcess(os.getpid, loaded=7).get() == 7


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_opens_its_own_and_frees_none_of_its_parent() -> None:
    model = PerProcess(Session)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        sender.send(model.get().process)

    child = context.Process(target=work)
    child.start()
    assert receiver.poll(60)
    assert receiver.recv() == child.pid
    child.join(60)
    assert child.exitcode == 0


def test_a_pickle_holds_how_to_open_it_and_not_what_was_opened() -> None:
    content = pickle.dumps(PerProcess(os.getpid, loaded=12345))
    assert b"12345" not in content
    assert pickle.loads(content).get() == os.getpid()
