"""Where the parts of an installation lie."""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError
from mien.login.config import CONFIG_PATH
from mien.login.password import SERVICE_FILE
from mien.login.state import STATE_DIR

PAM_FOLDER = "/etc/pam.d"
VENDOR_FOLDERS = ("/usr/lib/pam.d", "/usr/share/pam.d")
"""Where Linux-PAM and distributions keep the files that one of /etc/pam.d replaces."""

MODULE_NAME = "pam_mien.so"
LIBRARY_FOLDERS = ("/usr/lib64", "/usr/lib", "/lib64", "/lib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """root: a folder in which everything lies, for tests; the system itself by default."""

    root: Path = Path("/")

    def at(self, path: str | Path) -> Path:
        """The place of an absolute path under the root."""
        return self.root / str(path).lstrip("/")

    def shown(self, path: Path) -> str:
        """A place as the system names it, without the root."""
        return "/" + str(path.relative_to(self.root))

    @property
    def pam_folder(self) -> Path:
        return self.at(PAM_FOLDER)

    @property
    def vendor_folders(self) -> tuple[Path, ...]:
        return tuple(self.at(folder) for folder in VENDOR_FOLDERS)

    @property
    def enroll_service(self) -> Path:
        return self.at(SERVICE_FILE)

    @property
    def config(self) -> Path:
        return self.at(CONFIG_PATH)

    @property
    def state(self) -> Path:
        return self.at(STATE_DIR)

    @property
    def records(self) -> Path:
        """What was installed, and the originals of changed files. Root's own folder: the one of the
        daemon belongs to its user, whom root must not trust when it writes into /etc."""
        return self.at("/var/lib/mien-install")

    @property
    def units(self) -> Path:
        return self.at("/etc/systemd/system")

    @property
    def sysusers(self) -> Path:
        return self.at("/etc/sysusers.d/mien.conf")

    @property
    def pam_config(self) -> Path:
        """The profile of Debian's pam-auth-update."""
        return self.at("/usr/share/pam-configs/mien")

    @property
    def shadow(self) -> Path:
        return self.at("/etc/shadow")

    def security_folder(self) -> Path:
        """The folder of the PAM modules: where pam_unix.so lies. Raises UsageError."""
        multiarch = sysconfig.get_config_var("MULTIARCH") or ""
        for library in LIBRARY_FOLDERS:
            for folder in (self.at(library) / multiarch, self.at(library)):
                if (folder / "security/pam_unix.so").is_file():
                    return folder / "security"
        raise UsageError("found no pam_unix.so; mien login needs Linux with PAM")

    @property
    def has_systemd(self) -> bool:
        """Whether systemd runs here, by the test of sd_booted(3)."""
        return self.at("/run/systemd/system").is_dir()
