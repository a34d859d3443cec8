"""`mien login install --fprintd`: the files of the facade, and where it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.login.install.fprintd import fprintd_files, fprintd_steps
from mien.login.install.layout import Layout
from mien.login.install.steps import Machine, apply_steps


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(root=tmp_path)


def install(layout: Layout) -> list[tuple[str, ...]]:
    """Do the steps; the programs that would have been run."""
    ran: list[tuple[str, ...]] = []

    def run(command: object) -> int:
        ran.append(tuple(command))  # type: ignore[call-overload]
        return 0

    steps = fprintd_steps(layout, "/opt/mine/bin/python", find_readers=lambda: [])
    apply_steps(steps, Machine(layout, run, lambda line: None))
    return ran


def test_the_daemon_may_own_the_name_is_activated_by_it_and_serves_it(layout: Layout) -> None:
    assert install(layout) == [
        ("systemctl", "add-wants", "multi-user.target", "mien-login.service")
    ]
    policy, activation, drop_in = (path.read_text() for path in fprintd_files(layout))
    assert '<policy user="mien"><allow own="net.reactivated.Fprint"/></policy>' in policy
    assert "SystemdService=mien-login.service" in activation
    assert drop_in.splitlines()[-1] == (
        "ExecStart=/opt/mine/bin/python -I -m mien.cli login serve --fprintd"
    )


def test_a_second_time_there_is_nothing_to_do(layout: Layout) -> None:
    install(layout)
    assert fprintd_steps(layout, "/opt/mine/bin/python", find_readers=lambda: []) == []


def test_a_real_reader_is_not_hidden(layout: Layout) -> None:
    with pytest.raises(UsageError, match="a fingerprint reader \\(Synaptics\\)"):
        fprintd_steps(layout, "/opt/mine/bin/python", find_readers=lambda: ["Synaptics"])
    assert not any(path.exists() for path in fprintd_files(layout))


def test_a_file_of_somebody_else_is_not_replaced(layout: Layout) -> None:
    path = next(iter(fprintd_files(layout)))
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="mien did not write it"):
        fprintd_steps(layout, "/opt/mine/bin/python", find_readers=lambda: [])
