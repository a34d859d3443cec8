"""`mien login install` and `uninstall` on copies of this machine's own /etc, /usr and /var."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.login.install.trees import snapshot
from tests.login.install.trusted_mien import MIEN, PACKAGES, PYTHON, trusted_mien
from tests.login.namespace import CLEAN_ENVIRONMENT, Namespace, need_root_and

PASSWORD = "open sesame"
ACCOUNT_FILES = {
    f"{name}{suffix}" for name in ("passwd", "group", "shadow", "gshadow") for suffix in ("", "-")
} | {".pwd.lock", "subuid-", "subgid-"}

ENROLL = """
import numpy as np
from pathlib import Path
from mien.login.system_vault import open_system_vault, system_settings
from mien.results import ModelId, Template
from mien.vault import Record, pack_template

model = ModelId("sface", "ab" * 32)
payload = pack_template(Template(np.eye(2, 128, dtype=np.float32), model))
record = Record("anna:4242", model, "2026-01-31T12:00:00+00:00", payload)
with open_system_vault(system_settings(Path("/var/lib/mien")), create=True) as vault:
    vault.update(record.user, lambda stored, space_of: record)
Path("/var/lib/mien/proven").write_text("a look recognized somebody")
"""


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Namespace]:
    need_root_and("pamtester", package="pamtester")
    with trusted_mien(tmp_path) as namespace:
        namespace.add_user("anna", password=PASSWORD)
        namespace.add_user("ben", password="another")
        yield namespace


def mien(private: Namespace, *words: str, expected: int = 0) -> str:
    """Run the command; what it printed."""
    ran = private.run(*MIEN, *words)
    assert ran.returncode == expected, (words, ran.stdout, ran.stderr)
    return ran.stdout + ran.stderr


def enroll(private: Namespace) -> None:
    """What enrolling and a look that worked leave behind."""
    mien(private, "install", "--apply", "--models", "/nowhere")
    ran = private.run(PYTHON, "-I", "-c", ENROLL, user="mien")
    assert ran.returncode == 0, ran.stderr


def etc(private: Namespace) -> dict[str, tuple[int, str, bytes]]:
    """Everything in /etc but the accounts, and the profiles of pam-auth-update."""
    found = snapshot(private.path("/etc"))
    kept = {name: one for name, one in found.items() if name not in ACCOUNT_FILES}
    profiles = snapshot(private.path("/usr/share/pam-configs"))
    return kept | {f"pam-configs/{name}": one for name, one in profiles.items()}


def opens(private: Namespace, *typed: str) -> bool:
    """Whether the service sudo lets anna through when this is typed, line by line."""
    text = "".join(f"{line}\n" for line in typed)
    return private.run("pamtester", "sudo", "anna", "authenticate", typed=text).returncode == 0


def check_password(private: Namespace) -> None:
    """The right password opens and a wrong one does not, also after an Enter for a look, where the
    module asks. The daemon is not there: a look that fails must cost nothing."""
    assert opens(private, PASSWORD)
    assert not opens(private, "wrong")
    file = private.path("/etc/pam.d/sudo").read_text()
    if "pam_mien.so ask" in file and is_module(security_module(private)):
        assert opens(private, "", PASSWORD)
        assert not opens(private, "", "wrong")
    ran = private.run("su", "anna", "-c", "echo in", user="ben", typed=f"{PASSWORD}\n")
    assert ran.stdout == "in\n", ran.stderr


def is_module(path: Path) -> bool:
    return path.exists() and path.read_bytes().startswith(b"\x7fELF")


def security_module(private: Namespace) -> Path:
    (found,) = private.path("/usr/lib").glob("*/security/pam_unix.so")
    return found.with_name("pam_mien.so")


def test_installing_and_uninstalling_gives_every_byte_back(private: Namespace) -> None:
    before = etc(private)
    enroll(private)
    mien(private, "install", "--apply", "--sudo", "--login")
    wired = json.loads(mien(private, "status", "--json", expected=70))["services"]
    assert {"login", "su", "sudo"} <= set(wired)
    assert "polkit-1" in wired or not Path("/usr/lib/pam.d/polkit-1").exists()
    assert security_module(private).exists()
    mien(private, "uninstall", "--apply")
    assert etc(private) == before
    assert not security_module(private).exists()
    assert (private.path("/var/lib/mien") / "vault.sqlite").exists()
    mien(private, "uninstall", "--apply", "--purge")
    assert etc(private) == before
    assert not private.path("/var/lib/mien").exists()
    assert b"mien:" not in private.path("/etc/passwd").read_bytes()


def test_the_password_counts_before_while_and_after(private: Namespace) -> None:
    check_password(private)
    enroll(private)
    mien(private, "install", "--apply", "--sudo", "--login")
    check_password(private)
    security_module(private).rename(security_module(private).with_name("away"))
    check_password(private)
    mien(private, "uninstall", "--apply")
    check_password(private)


def test_a_dry_run_changes_nothing_and_shows_all(private: Namespace) -> None:
    before = etc(private)
    shown = mien(private, "install", "--sudo", "--everywhere")
    assert etc(private) == before
    assert not private.path("/var/lib/mien-install").exists()
    for part in ("+++ /etc/pam.d/sudo", "+++ /etc/mien/login.toml", "pam-auth-update", "sysusers"):
        assert part in shown


def test_no_service_is_changed_before_a_look_has_worked(private: Namespace) -> None:
    before = snapshot(private.path("/etc/pam.d"))
    said = mien(private, "install", "--apply", "--sudo", "--models", "/nowhere")
    assert "no look has recognized anybody" in said
    after = snapshot(private.path("/etc/pam.d"))
    assert after.pop("mien-enroll")
    assert after == before


def test_everywhere_goes_through_pam_auth_update_and_back(private: Namespace) -> None:
    if not private.path("/usr/sbin/pam-auth-update").exists():
        pytest.skip("needs Debian's pam-auth-update: apt install libpam-runtime")
    enroll(private)
    # it rewrites its own files: what it makes of them without mien is where to come back to
    private.run("pam-auth-update", "--package")
    before = etc(private)
    common = private.path("/etc/pam.d/common-auth")
    mien(private, "install", "--apply", "--everywhere")
    lines = [line.split() for line in common.read_text().splitlines() if line.startswith("auth")]
    assert lines[0] == ["auth", "[success=2", "default=ignore]", "pam_mien.so"]
    check_password(private)
    mien(private, "uninstall", "--apply")
    after = etc(private)
    changed = [name for name in before if before[name] != after.get(name) and "pam" in name]
    assert changed == ["pam.d/mien-enroll"]
    assert b"mien" not in common.read_bytes()


def test_a_refusal_of_pam_auth_update_is_noticed(private: Namespace) -> None:
    """It leaves files alone that were edited, and exits with 0."""
    if not private.path("/usr/sbin/pam-auth-update").exists():
        pytest.skip("needs Debian's pam-auth-update: apt install libpam-runtime")
    enroll(private)
    common = private.path("/etc/pam.d/common-auth")
    rest = "# here's the fallback"
    jump, further = "[success=1 default=ignore]\tpam_unix", "[success=2 default=ignore]\tpam_unix"
    original = common.read_text()
    assert rest in original
    assert jump in original
    edited = original.replace(jump, further).replace(rest, f"auth optional pam_echo.so\n{rest}")
    common.write_text(edited)
    said = mien(private, "install", "--apply", "--everywhere", expected=70)
    assert "/etc/pam.d/common-auth was not changed" in said
    check_password(private)
    mien(private, "uninstall", "--apply")
    assert common.read_text() == edited


@pytest.mark.parametrize("line", ["changed /etc/pam.d/login", "changed /etc/pam.d/sudo"])
def test_a_kill_in_the_middle_locks_nobody_out(line: str, private: Namespace) -> None:
    before = etc(private)
    enroll(private)
    with subprocess.Popen(
        private.command(*MIEN, "install", "--apply", "--sudo", "--login"),
        env=CLEAN_ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        assert any(said.strip() == line for said in running.stderr)
        running.send_signal(signal.SIGKILL)
    check_password(private)
    mien(private, "uninstall", "--apply")
    assert etc(private) == before


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (f"chmod o+w {PACKAGES}/mien/errors.py", f"others than root can write {PACKAGES}"),
        (f"chown anna {PACKAGES}/mien/login", "belongs to user id"),
        ("chmod 777 /opt", "others than root can write /opt"),
        ("chown -h anna /opt/mien/bin/python", "belongs to user id"),
        ("echo carl:x:4243:4243::/opt/mien:/bin/sh >> /etc/passwd", "is in the home /opt/mien"),
    ],
)
def test_a_mien_that_others_can_change_is_refused(
    spoil: str, reason: str, private: Namespace
) -> None:
    assert private.run("sh", "-c", spoil).returncode == 0
    said = mien(private, "install", expected=2)
    assert reason in said
    assert "sudo python3 -m venv /opt/mien && sudo /opt/mien/bin/pip install" in said


def test_only_root_may_change_the_system(private: Namespace) -> None:
    ran = private.run(*MIEN, "install", "--apply", user="anna")
    assert ran.returncode == 2
    assert "only root may change the system; run: sudo mien login install --apply" in ran.stderr
    assert private.run(*MIEN, "install", user="anna").returncode == 0
    assert private.run(*MIEN, "uninstall", "--apply", user="anna").returncode == 2


def test_status_tells_a_broken_python_and_an_altered_module(private: Namespace) -> None:
    enroll(private)
    mien(private, "install", "--apply", "--sudo")
    security_module(private).write_bytes(b"something else")
    private.path("/etc/systemd/system/mien-login.service").write_text(
        "[Service]\nExecStart=/opt/gone/bin/python -I -m mien.cli login serve\n"
    )
    status = json.loads(mien(private, "status", "--json", expected=70).splitlines()[0])
    found = {one["what"]: one["found"] for one in status["checks"] if one["state"] == "broken"}
    assert "is not the one that was installed" in found["module"]
    assert "/opt/gone/bin/python is missing or broken; the password still works" in found["python"]
    check_password(private)
