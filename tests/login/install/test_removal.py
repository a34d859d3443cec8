"""Uninstalling gives the bytes back, and never takes a module away that a line still names."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.login.install.trees import (
    ACCOUNTS,
    ARCH,
    DEBIAN,
    FEDORA,
    PYTHON,
    Recorder,
    make_tree,
    snapshot,
)

from mien.errors import UsageError
from mien.login.install.layout import MODULE_NAME, Layout
from mien.login.install.module import ModulePlan
from mien.login.install.plan import InstallRequest, Proof, plan_install
from mien.login.install.removal import plan_removal
from mien.login.install.steps import WriteOwn, apply_steps


def install_all(layout: Layout) -> None:
    """Install every class, with a module."""
    path = layout.security_folder() / MODULE_NAME
    write = WriteOwn(path, layout.shown(path), None, b"\x7fELF\0")
    plan = plan_install(
        InstallRequest(login=True, elevate=True),
        layout=layout,
        program=PYTHON,
        module=ModulePlan(MODULE_NAME, (write,)),
        proof=Proof(people=1, has_look=True),
    )
    apply_steps(plan.steps, Recorder(layout).machine)


def uninstall(layout: Layout, *, purge: bool = False) -> list[tuple[str, ...]]:
    """Do what the plan says, and return the programs that were started."""
    recorder = Recorder(layout)
    apply_steps(plan_removal(layout=layout, purge=purge).steps, recorder.machine)
    return recorder.commands


@pytest.fixture
def installed(tmp_path: Path) -> Layout:
    layout = make_tree(tmp_path, DEBIAN, ACCOUNTS)
    install_all(layout)
    return layout


@pytest.mark.parametrize("tree", [DEBIAN, FEDORA, ARCH])
def test_the_bytes_of_every_file_come_back(tree: dict[str, str], tmp_path: Path) -> None:
    layout = make_tree(tmp_path, tree, ACCOUNTS)
    layout.records.parent.mkdir(parents=True)
    before = snapshot(layout.root)
    install_all(layout)
    assert (layout.security_folder() / MODULE_NAME).exists()
    uninstall(layout)
    assert snapshot(layout.root) == before


def test_other_lines_that_changed_meanwhile_stay(installed: Layout) -> None:
    sudo = installed.pam_folder / "sudo"
    sudo.write_bytes(b"# mine\n" + sudo.read_bytes() + b"# more\n")
    uninstall(installed)
    assert sudo.read_text() == "# mine\n" + DEBIAN["/etc/pam.d/sudo"] + "# more\n"


def test_a_copy_of_the_distributions_file_stays_if_it_was_changed(installed: Layout) -> None:
    polkit = installed.pam_folder / "polkit-1"
    polkit.write_bytes(polkit.read_bytes() + b"# mine\n")
    uninstall(installed)
    assert polkit.read_text() == DEBIAN["/usr/lib/pam.d/polkit-1"] + "# mine\n"


def test_an_edited_block_stays_with_all_that_it_needs(installed: Layout) -> None:
    sudo = installed.pam_folder / "sudo"
    sudo.write_bytes(sudo.read_bytes().replace(b"so ask", b"so"))
    plan = plan_removal(layout=installed, purge=True)
    assert any("/etc/pam.d/sudo: somebody edited" in one for one in plan.blockers)
    uninstall(installed, purge=True)
    assert b"pam_mien" in sudo.read_bytes()
    assert (installed.security_folder() / MODULE_NAME).exists()
    assert b"pam_mien" not in (installed.pam_folder / "su").read_bytes()


def test_a_line_that_an_administrator_wrote_keeps_the_module(installed: Layout) -> None:
    other = installed.pam_folder / "xscreensaver"
    other.write_text("auth sufficient pam_mien.so\n@include common-auth\n")
    plan = plan_removal(layout=installed, purge=False)
    assert "/etc/pam.d/xscreensaver asks mien" in plan.blockers[0]
    uninstall(installed)
    assert (installed.security_folder() / MODULE_NAME).exists()


def test_a_line_that_appears_in_the_meantime_keeps_the_module(installed: Layout) -> None:
    plan = plan_removal(layout=installed, purge=False)
    (installed.pam_folder / "new").write_text("auth optional pam_mien.so\n")
    with pytest.raises(UsageError, match="new still asks mien"):
        apply_steps(plan.steps, Recorder(installed).machine)
    assert (installed.security_folder() / MODULE_NAME).exists()


def test_lines_go_before_the_daemon_and_the_daemon_before_its_files(installed: Layout) -> None:
    described = [one.describe() for one in plan_removal(layout=installed, purge=False).steps]
    order = [
        next(number for number, text in enumerate(described) if part in text)
        for part in ("/etc/pam.d/swaylock", "check that no file", "systemctl disable", "security/")
    ]
    assert order == sorted(order)


@pytest.mark.parametrize("is_running", [False, True])
def test_the_links_of_both_units_are_removed(is_running: bool, installed: Layout) -> None:
    running = installed.at("/run/systemd/system")
    if is_running:
        running.mkdir(parents=True, exist_ok=True)
    elif running.is_dir():
        running.rmdir()
    (command,) = [one for one in uninstall(installed) if one[:2] == ("systemctl", "disable")]
    assert command[-2:] == ("mien-login.socket", "mien-login.service")
    assert ("--now" in command) is is_running


def test_a_removal_that_was_cut_off_between_the_units_goes_on(installed: Layout) -> None:
    installed.at("/run/systemd/system").mkdir(parents=True, exist_ok=True)
    (installed.units / "mien-login.service").unlink()
    (command,) = [one for one in uninstall(installed) if one[:2] == ("systemctl", "disable")]
    assert command[-1] == "mien-login.socket"
    assert "mien-login.service" not in command  # systemctl fails for a unit that is not there


def test_an_edited_file_of_ours_stays_and_is_named(installed: Layout) -> None:
    unit = installed.units / "mien-login.service"
    unit.write_text(unit.read_text() + "Nice=5\n")
    assert plan_removal(layout=installed, purge=False).kept == (
        "/etc/systemd/system/mien-login.service",
    )
    uninstall(installed)
    assert unit.exists()
    assert not (installed.security_folder() / MODULE_NAME).exists()


@pytest.mark.parametrize("purge", [False, True])
def test_faces_stay_unless_they_are_to_be_purged(purge: bool, installed: Layout) -> None:
    make_tree(installed.root, {"/etc/passwd": "mien:x:995:995::/x:/usr/sbin/nologin\n"})
    make_tree(installed.root, {"/var/lib/mien/vault.sqlite": "faces"})
    commands = uninstall(installed, purge=purge)
    assert (installed.state / "vault.sqlite").exists() is not purge
    assert (("userdel", "mien") in commands) is purge


def test_purging_follows_no_link_of_the_daemons_user(installed: Layout, tmp_path: Path) -> None:
    make_tree(installed.root, {"/precious/file": "kept"})
    installed.state.mkdir(parents=True)
    (installed.state / "link").symlink_to(installed.at("/precious"))
    uninstall(installed, purge=True)
    assert installed.at("/precious/file").read_text() == "kept"
    assert not installed.state.exists()


def test_uninstalling_twice_and_where_nothing_is_installed_is_no_error(tmp_path: Path) -> None:
    layout = make_tree(tmp_path, DEBIAN, ACCOUNTS)
    before = snapshot(layout.root)
    assert uninstall(layout) == []
    assert uninstall(layout, purge=True) == []
    assert snapshot(layout.root) == before


def test_without_its_record_the_services_are_freed_all_the_same(installed: Layout) -> None:
    (installed.records / "record.json").unlink()
    before = DEBIAN["/etc/pam.d/swaylock"]
    plan = plan_removal(layout=installed, purge=False)
    apply_steps(plan.steps, Recorder(installed).machine)
    assert (installed.pam_folder / "swaylock").read_text() == before
    assert "/usr/lib/x86_64-linux-gnu/security/pam_mien.so" in plan.kept
