"""A profile of authselect for Fedora's system-auth and password-auth."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.login.install.trees import FEDORA, Recorder, make_tree, snapshot

from mien.errors import UsageError
from mien.login.install.everywhere import everywhere_removal, everywhere_steps
from mien.login.install.layout import Layout
from mien.login.install.pam_file import remove_block
from mien.login.install.record import read_record
from mien.login.install.steps import CommandFailed, apply_steps

TEMPLATE = (
    "auth        required      pam_env.so\n"
    'auth        required      pam_u2f.so cue {include if "with-pam-u2f-2fa"}\n'
    'auth        sufficient    pam_fprintd.so {include if "with-fingerprint"}\n'
    "auth        sufficient    pam_unix.so nullok\n"
    "auth        required      pam_deny.so\n"
)
BASE = "/usr/share/authselect/default/local"
AUTHSELECT = {
    "/etc/authselect/authselect.conf": "local\nwith-silent-lastlog\n",
    f"{BASE}/system-auth": TEMPLATE,
    f"{BASE}/password-auth": TEMPLATE,
    f"{BASE}/README": "Local users only\n",
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = make_tree(tmp_path, FEDORA, AUTHSELECT)
    made.records.parent.mkdir(parents=True)
    return made


class Authselect(Recorder):
    """Does what authselect does: writes system-auth from the chosen profile."""

    def run(self, command: object) -> int:  # type: ignore[override]
        words = tuple(command)  # type: ignore[arg-type]
        self.commands.append(words)
        assert words[:2] == ("authselect", "select")
        conf = self.layout.at("/etc/authselect/authselect.conf")
        conf.write_text("\n".join(words[2:]) + "\n")
        name = words[2].removeprefix("custom/")
        custom = self.layout.at("/etc/authselect/custom") / name
        folder = custom if words[2].startswith("custom/") else self.layout.at(BASE)
        written = (folder / "system-auth").read_bytes()
        (self.layout.pam_folder / "system-auth").write_bytes(written)
        return 0


def test_the_profile_is_a_copy_with_a_line_before_the_password(layout: Layout) -> None:
    tool = Authselect(layout)
    apply_steps(everywhere_steps(layout, "pam_mien.so"), tool.machine)
    assert tool.commands == [("authselect", "select", "custom/mien", "with-silent-lastlog")]
    custom = layout.at("/etc/authselect/custom/mien")
    assert (custom / "README").read_text() == "Local users only\n"
    for name in ("system-auth", "password-auth"):
        content = (custom / name).read_bytes()
        assert remove_block(content).decode() == TEMPLATE
        lines = content.decode().splitlines()
        place = lines.index("auth\t[success=done default=ignore]\tpam_mien.so")
        assert "pam_unix.so" in lines[place + 2]  # the features leave no line between
    assert read_record(layout.records).profile == ("local", "with-silent-lastlog")


def test_a_second_time_there_is_nothing_to_do(layout: Layout) -> None:
    apply_steps(everywhere_steps(layout, "pam_mien.so"), Authselect(layout).machine)
    assert everywhere_steps(layout, "pam_mien.so") == []


def test_a_second_factor_that_is_on_is_not_skipped(layout: Layout) -> None:
    make_tree(layout.root, {"/etc/authselect/authselect.conf": "local\nwith-pam-u2f-2fa\n"})
    with pytest.raises(UsageError, match="also asks pam_u2f, which a face would skip"):
        everywhere_steps(layout, "pam_mien.so")


def test_what_authselect_did_not_write_is_noticed(layout: Layout) -> None:
    with pytest.raises(CommandFailed, match="system-auth was not changed"):
        apply_steps(everywhere_steps(layout, "pam_mien.so"), Recorder(layout).machine)


def test_removing_goes_back_to_the_profile_from_before(layout: Layout) -> None:
    tool = Authselect(layout)
    apply_steps(everywhere_steps(layout, "pam_mien.so"), tool.machine)
    tool.commands.clear()
    apply_steps(everywhere_removal(layout), tool.machine)
    assert tool.commands == [("authselect", "select", "local", "with-silent-lastlog")]
    assert not any(layout.at("/etc/authselect/custom/mien").iterdir())
    names = snapshot(layout.pam_folder)
    assert not any(b"pam_mien" in content for _, _, content in names.values())


@pytest.mark.parametrize("name", ["missing", "custom/../../default/local", "custom/nothing"])
def test_a_profile_that_is_not_there_is_refused(name: str, layout: Layout) -> None:
    make_tree(layout.root, {"/etc/authselect/authselect.conf": f"{name}\n"})
    with pytest.raises(UsageError, match="there is no authselect profile"):
        everywhere_steps(layout, "pam_mien.so")
