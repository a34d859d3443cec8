"""Small trees of /etc/pam.d in the forms of three distributions, and a machine around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien.login.install.layout import Layout
from mien.login.install.module import ModulePlan
from mien.login.install.program import Program
from mien.login.install.steps import Machine

DEBIAN = {
    "/etc/pam.d/common-auth": (
        "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n"
        "auth\trequisite\t\t\tpam_deny.so\n"
        "auth\trequired\t\t\tpam_permit.so\n"
    ),
    "/etc/pam.d/sudo": "#%PAM-1.0\nsession required pam_limits.so\n\n@include common-auth\n",
    "/etc/pam.d/common-account": "account\trequired\tpam_unix.so\n",
    "/etc/pam.d/su": (
        "@include common-account\nauth sufficient pam_rootok.so\n@include common-auth\n"
    ),
    "/etc/pam.d/su-l": "auth include su\naccount include su\n",
    "/etc/pam.d/login": (
        "auth optional pam_faildelay.so delay=3000000\n"
        "auth requisite pam_nologin.so\n"
        "@include common-auth\n"
        "auth optional pam_group.so\n"
    ),
    "/etc/pam.d/gdm-password": (
        "#%PAM-1.0\n"
        "auth requisite pam_nologin.so\n"
        "auth required pam_succeed_if.so user != root quiet_success\n"
        "@include common-auth\n"
        "auth optional pam_gnome_keyring.so\n"
    ),
    "/etc/pam.d/swaylock": "auth include login\n",
    "/usr/lib/pam.d/polkit-1": "#%PAM-1.0\n@include common-auth\n@include common-account\n",
    "/usr/lib/x86_64-linux-gnu/security/pam_unix.so": "",
    "/usr/sbin/pam-auth-update": "",
}
FEDORA = {
    "/etc/pam.d/system-auth": (
        "auth        required      pam_env.so\n"
        "auth        required      pam_faildelay.so delay=2000000\n"
        "auth        [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n"
        "auth        sufficient    pam_unix.so nullok\n"
        "auth        required      pam_deny.so\n"
    ),
    "/etc/pam.d/postlogin": "session optional pam_umask.so silent\n",
    "/etc/pam.d/sudo": "#%PAM-1.0\nauth       include      system-auth\n",
    "/etc/pam.d/gdm-password": (
        "auth     [success=done ignore=ignore default=bad] pam_selinux_permit.so\n"
        "auth        substack      system-auth\n"
        "auth        optional      pam_gnome_keyring.so\n"
        "auth        include       postlogin\n"
    ),
    "/etc/pam.d/kde": "auth substack system-auth\nauth include postlogin\n",
    "/etc/pam.d/kde-fingerprint": "auth required pam_env.so\nauth sufficient pam_fprintd.so\n",
    "/etc/pam.d/swaylock": "auth include system-auth\n",
    "/usr/lib/pam.d/polkit-1": "auth       include      system-auth\n",
    "/usr/lib64/security/pam_unix.so": "",
}
ARCH = {
    "/etc/pam.d/system-auth": (
        "auth       required                    pam_faillock.so      preauth\n"
        "-auth      [success=2 default=ignore]  pam_systemd_home.so\n"
        "auth       [success=1 default=bad]     pam_unix.so          try_first_pass nullok\n"
        "auth       [default=die]               pam_faillock.so      authfail\n"
        "auth       optional                    pam_permit.so\n"
        "auth       required                    pam_env.so\n"
    ),
    "/etc/pam.d/system-login": (
        "auth       required   pam_shells.so\n"
        "auth       requisite  pam_nologin.so\n"
        "auth       include    system-auth\n"
    ),
    "/etc/pam.d/system-local-login": "auth      include   system-login\n",
    "/etc/pam.d/login": (
        "auth       requisite    pam_nologin.so\nauth       include      system-local-login\n"
    ),
    "/etc/pam.d/sudo": "auth\t\tinclude\t\tsystem-auth\n",
    "/etc/pam.d/sddm": "auth        include     system-login\n-auth optional pam_kwallet5.so\n",
    "/etc/pam.d/hyprlock": "auth        include     login\n",
    "/usr/lib/security/pam_unix.so": "",
}
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nanna:x:1000:1000::/home/anna:/bin/bash\n",
    "/etc/group": "root:x:0:\nvideo:x:44:\nshadow:x:42:\n",
}
PYTHON = Program(Path("/opt/mien/bin/python"), ())
MODULE = ModulePlan("pam_mien.so", ())


def make_tree(root: Path, *trees: Mapping[str, str]) -> Layout:
    """Write files below a folder, which is the root of the layout."""
    for path, text in (item for tree in trees for item in tree.items()):
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Layout(root=root)


def snapshot(folder: Path) -> dict[str, tuple[int, str, bytes]]:
    """Mode, link target and content of everything below a folder, by its name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        link = str(path.readlink()) if path.is_symlink() else ""
        content = path.read_bytes() if path.is_file() and not link else b""
        found[str(path.relative_to(folder))] = (path.lstat().st_mode, link, content)
    return found


@dataclass
class Recorder:
    """A machine of which the programs are not started, but noted."""

    layout: Layout
    commands: list[tuple[str, ...]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    exit_code: int = 0

    def run(self, command: Sequence[str]) -> int:
        self.commands.append(tuple(command))
        return self.exit_code

    @property
    def machine(self) -> Machine:
        return Machine(self.layout, self.run, self.lines.append)
