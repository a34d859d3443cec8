"""What an installation does, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.login.install.trees import (
    ACCOUNTS,
    DEBIAN,
    MODULE,
    PYTHON,
    Recorder,
    make_tree,
    snapshot,
)

from mien.errors import UsageError
from mien.login.config import read_config
from mien.login.install.layout import Layout
from mien.login.install.module import ModulePlan
from mien.login.install.plan import (
    NOT_PROVEN,
    UNKNOWN_PROOF,
    InstallPlan,
    InstallRequest,
    Proof,
    has_proven_look,
    plan_install,
)
from mien.login.install.steps import CommandFailed, EditPam, RunProgram, WriteOwn, apply_steps

PROVEN = Proof(people=1, has_look=True)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return make_tree(tmp_path, DEBIAN, ACCOUNTS)


def plan_for(layout: Layout, proof: Proof = PROVEN, **asked: object) -> InstallPlan:
    request = InstallRequest(**asked)  # type: ignore[arg-type]
    return plan_install(request, layout=layout, program=PYTHON, module=MODULE, proof=proof)


def written(plan: InstallPlan) -> list[str]:
    return [one.shown for one in plan.steps if isinstance(one, WriteOwn | EditPam)]


def test_services_are_changed_last(layout: Layout) -> None:
    assert written(plan_for(layout)) == [
        "/etc/pam.d/mien-enroll",
        "/etc/mien/login.toml",
        "/etc/systemd/system/mien-login.service",
        "/etc/systemd/system/mien-login.socket",
        "/etc/pam.d/gdm-password",
        "/etc/pam.d/swaylock",
    ]


@pytest.mark.parametrize(
    ("proof", "note"),
    [
        (Proof(people=0, has_look=True), NOT_PROVEN),  # forgotten since
        (Proof(people=2, has_look=False), NOT_PROVEN),
        (Proof(people=None, has_look=False), UNKNOWN_PROOF),
        (Proof(people=None, has_look=True), NOT_PROVEN),
    ],
)
def test_without_a_look_that_worked_no_service_is_changed(
    proof: Proof, note: str, layout: Layout
) -> None:
    plan = plan_for(layout, proof)
    assert not any("/etc/pam.d/" in name for name in written(plan) if "mien-enroll" not in name)
    assert note in plan.notes
    recorder = Recorder(layout)
    apply_steps(plan.steps, recorder.machine)
    for service in ("gdm-password", "swaylock"):
        path = f"/etc/pam.d/{service}"
        assert layout.at(path).read_text() == DEBIAN[path]


def test_a_look_is_proven_by_a_regular_file_of_the_daemon(layout: Layout) -> None:
    assert not has_proven_look(layout)
    layout.state.mkdir(parents=True)
    (layout.state / "proven").symlink_to("/etc/passwd")
    assert not has_proven_look(layout)
    (layout.state / "proven").unlink()
    (layout.state / "proven").write_bytes(b"a look recognized somebody\n")
    assert has_proven_look(layout)


def test_planning_changes_nothing(layout: Layout) -> None:
    before = snapshot(layout.root)
    plan = plan_for(layout, elevate=True, login=True, everywhere=True)
    assert all(isinstance(one.describe(), str) for one in plan.steps)
    assert snapshot(layout.root) == before


def test_a_second_installation_has_nothing_to_do(layout: Layout) -> None:
    make_tree(layout.root, {"/etc/passwd": "mien:x:995:995::/var/lib/mien:/usr/sbin/nologin\n"})
    make_tree(layout.root, {"/etc/group": "video:x:44:anna,mien\n"})
    recorder = Recorder(layout)
    apply_steps(plan_for(layout, elevate=True).steps, recorder.machine)
    wanted = layout.units / "sockets.target.wants/mien-login.socket"
    wanted.parent.mkdir()
    wanted.symlink_to("../mien-login.socket")  # as systemctl enable makes it
    assert plan_for(layout).steps == ()
    assert plan_for(layout, elevate=True).steps == ()


def test_elevating_services_ask_and_su_l_takes_the_lines_of_su(layout: Layout) -> None:
    plan = plan_for(layout, elevate=True)
    changed = [one for one in plan.steps if isinstance(one, EditPam)]
    asking = [one.shown for one in changed if b"pam_mien.so ask\n" in one.after]
    assert asking == ["/etc/pam.d/polkit-1", "/etc/pam.d/su", "/etc/pam.d/sudo"]
    assert next(one.reason for one in plan.unwired if one.service == "su-l").startswith("it takes")


def test_the_file_of_a_distribution_is_copied_and_not_changed(layout: Layout) -> None:
    plan = plan_for(layout, services=("polkit-1",))
    apply_steps(plan.steps, Recorder(layout).machine)
    assert b"pam_mien.so ask" in (layout.pam_folder / "polkit-1").read_bytes()
    vendor = layout.at("/usr/lib/pam.d/polkit-1")
    assert vendor.read_text() == DEBIAN["/usr/lib/pam.d/polkit-1"]


def test_the_configuration_allows_what_was_asked_for_and_keeps_the_rest(layout: Layout) -> None:
    make_tree(layout.root, {"/etc/mien/login.toml": 'unlock = false\ncamera = "/dev/v4l/x"\n'})
    apply_steps(plan_for(layout, login=True).steps, Recorder(layout).machine)
    apply_steps(plan_for(layout, services=("sudo",)).steps, Recorder(layout).machine)
    config = read_config(layout.config)
    assert (config.unlock, config.login, config.elevate) == (False, True, True)
    assert config.camera == "/dev/v4l/x"


def test_a_camera_is_pinned_with_its_id_and_kind(layout: Layout) -> None:
    plan = plan_for(layout, camera="/dev/v4l/by-path/a", camera_id="046d:0825", infrared=True)
    apply_steps(plan.steps, Recorder(layout).machine)
    config = read_config(layout.config)
    assert (config.camera, config.camera_id, config.infrared) == (
        "/dev/v4l/by-path/a",
        "046d:0825",
        True,
    )
    assert plan_for(layout).steps == plan_for(layout, camera="").steps


def test_without_a_compiler_pam_exec_asks_but_never_for_sudo(layout: Layout) -> None:
    module = ModulePlan("pam_exec.so quiet /x/pam_client.py", (), note="there is no C compiler")
    plan = plan_install(
        InstallRequest(), layout=layout, program=PYTHON, module=module, proof=PROVEN
    )
    assert any("there is no C compiler" in note for note in plan.notes)
    edit = next(one for one in plan.steps if isinstance(one, EditPam))
    assert b"[success=done default=ignore]\tpam_exec.so quiet" in edit.after
    with pytest.raises(UsageError, match="sudo needs the compiled PAM module"):
        plan_install(
            InstallRequest(elevate=True),
            layout=layout,
            program=PYTHON,
            module=module,
            proof=PROVEN,
        )


def test_what_was_asked_for_by_name_is_done_or_refused(layout: Layout) -> None:
    text = "@include common-auth\nauth required pam_oath.so\n"
    make_tree(layout.root, {"/etc/pam.d/sudo": text})
    assert "sudo" not in plan_for(layout, elevate=True).wired
    with pytest.raises(UsageError, match="sudo cannot ask for a face: left alone: it also asks"):
        plan_for(layout, services=("sudo",))


def test_a_foreign_file_in_the_place_of_ours_is_refused(layout: Layout) -> None:
    make_tree(layout.root, {"/etc/systemd/system/mien-login.service": "[Service]\n"})
    with pytest.raises(UsageError, match="mien did not write it so"):
        plan_for(layout)


def test_an_own_file_of_an_older_version_is_replaced(layout: Layout) -> None:
    path = layout.enroll_service
    old = WriteOwn(path, "/etc/pam.d/mien-enroll", None, b"# older\n")
    apply_steps([old], Recorder(layout).machine)
    assert "/etc/pam.d/mien-enroll" in written(plan_for(layout))


def test_a_person_with_the_name_of_the_daemon_is_refused(layout: Layout) -> None:
    make_tree(layout.root, {"/etc/passwd": "mien:x:1001:1001::/home/mien:/bin/bash\n"})
    with pytest.raises(UsageError, match="not a system user"):
        plan_for(layout)


@pytest.mark.parametrize("mode", [0o640, 0o600])
def test_the_daemon_joins_shadow_only_where_that_group_may_read_hashes(
    mode: int, layout: Layout
) -> None:
    make_tree(layout.root, {"/etc/shadow": ""})
    layout.shadow.chmod(mode)
    group = f"video:x:44:\nshadow:x:{layout.shadow.stat().st_gid}:\n"
    make_tree(layout.root, {"/etc/group": group, "/usr/bin/systemd-sysusers": ""})
    users = next(one for one in plan_for(layout).base if isinstance(one, WriteOwn))
    assert (b"m mien shadow" in users.after) is (mode == 0o640)
    assert b"m mien video" in users.after


def test_without_sysusers_useradd_makes_the_user(layout: Layout) -> None:
    first, second = plan_for(layout).base[:2]
    assert isinstance(first, RunProgram)
    assert isinstance(second, RunProgram)
    assert first.command[0] == "useradd"
    assert {"--system", "--no-create-home"} <= set(first.command)
    assert second.command == ("usermod", "--append", "--groups", "video", "mien")


def test_the_first_program_that_fails_stops_everything_after_it(layout: Layout) -> None:
    recorder = Recorder(layout, exit_code=1)
    with pytest.raises(CommandFailed, match="failed with exit code 1"):
        apply_steps(plan_for(layout).steps, recorder.machine)
    assert len(recorder.commands) == 1
    assert not layout.config.exists()


@pytest.mark.parametrize("is_running", [True, False])
def test_the_socket_is_started_where_systemd_runs(is_running: bool, layout: Layout) -> None:
    if is_running:
        layout.at("/run/systemd/system").mkdir(parents=True)
    recorder = Recorder(layout)
    apply_steps(plan_for(layout).steps, recorder.machine)
    used = [" ".join(one[1:]) for one in recorder.commands if one[0] == "systemctl"]
    if is_running:
        restart = "try-restart mien-login.service"
        assert used == ["daemon-reload", "enable --now mien-login.socket", restart]
    else:
        assert used == ["enable mien-login.socket"]


def test_everywhere_on_debian_is_read_back(layout: Layout) -> None:
    """pam-auth-update exits with 0 when it refuses, too."""
    plan = plan_for(layout, everywhere=True, elevate=True)
    assert [one.shown for one in plan.steps if isinstance(one, EditPam)] == [
        "/etc/pam.d/polkit-1",
        "/etc/pam.d/su",
        "/etc/pam.d/sudo",
    ]
    with pytest.raises(CommandFailed, match="common-auth was not changed"):
        apply_steps(plan.steps, Recorder(layout).machine)
    assert "[success=end default=ignore]\tpam_mien.so\n" in layout.pam_config.read_text()


def test_everywhere_elsewhere_is_refused(layout: Layout) -> None:
    layout.at("/usr/sbin/pam-auth-update").unlink()
    with pytest.raises(UsageError, match="leave it out to change the files of single services"):
        plan_for(layout, everywhere=True)
