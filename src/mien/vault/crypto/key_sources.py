"""Where the vault's key is kept: in a file, the OS keyring, a systemd credential, or nowhere.

A key line, in a key file and in a systemd credential:

    mien-key 1 VAULT_ID KEY_ID KEY     hexadecimal; several vaults, and during a rotation
                                       two keys of one vault, may share a file
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

from mien.errors import KeyUnavailable, VaultDamaged, missing_extra, quote
from mien.files import exclusive_lock, read_regular, temporary_files, write_whole
from mien.records import dataclass, field
from mien.system.ownership import is_of_another, others_may_use
from mien.vault.crypto.aead import KEY_BYTES, VAULT_ID_BYTES
from mien.vault.crypto.key_wrap import KEY_ID_BYTES, Kdf, kek_of_passphrase
from mien.vault.crypto.passphrase import check_length

MAX_FILE_BYTES = 64 * 1024
CREDENTIAL = "mien.key"
_KEY_WORD = b"mien-key"

Random = Callable[[int], bytes]


class KeySource(Protocol):
    """Keeps the keys of one vault. Every method raises KeyUnavailable where it cannot work."""

    @property
    def location(self) -> str:
        """In words, for `mien vault status`."""
        ...

    def load(self, key_id: bytes) -> bytes:
        """The 32 bytes of this key."""
        ...

    def new_key(self, key_id: bytes, random: Random) -> bytes:
        """Make a key and store it: it is durable when this returns."""
        ...

    def count_other_keys(self, key_id: bytes) -> int:
        """How many more keys of this vault are kept, as after an interrupted rotation."""
        ...

    def remove_other_keys(self, key_id: bytes) -> None:
        """Remove this vault's keys but this one."""
        ...


@dataclass(frozen=True, slots=True)
class _KeyLine:
    vault_id: bytes
    key_id: bytes
    key: bytes = field(repr=False)

    def text(self) -> str:
        return f"mien-key 1 {self.vault_id.hex()} {self.key_id.hex()} {self.key.hex()}\n"


class FileKeys:
    """A file that only its owner may read; the default, because nobody has to be asked."""

    def __init__(self, path: Path, vault_id: bytes) -> None:
        self._path = path
        self._vault_id = vault_id

    @property
    def location(self) -> str:
        return f"file {self._path}: whoever can read it can open the vault"

    def load(self, key_id: bytes) -> bytes:
        return _find_key(self._lines(), self._vault_id, key_id, str(self._path))

    def new_key(self, key_id: bytes, random: Random) -> bytes:
        key = random(KEY_BYTES)
        with self._locked():
            self._write([*self._lines(), _KeyLine(self._vault_id, key_id, key)])
        return key

    def count_other_keys(self, key_id: bytes) -> int:
        other = sum(self._is_other(line, key_id) for line in self._lines())
        return other + len(self._left_by_killed())

    def remove_other_keys(self, key_id: bytes) -> None:
        with self._locked():
            for path in self._left_by_killed():
                self._remove(path)
            lines = self._lines()
            kept = [line for line in lines if not self._is_other(line, key_id)]
            if len(kept) < len(lines):
                self._write(kept)

    def _is_other(self, line: _KeyLine, key_id: bytes) -> bool:
        return line.vault_id == self._vault_id and line.key_id != key_id

    def _left_by_killed(self) -> list[Path]:
        """The temporary files of killed writers that begin as a file of keys does."""
        found = []
        for path in temporary_files(self._path.parent):
            with suppress(OSError):
                if read_regular(path, len(_KEY_WORD)) == _KEY_WORD:
                    found.append(path)
        return found

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise VaultDamaged(
                f"cannot remove {quote(str(path))}, which holds a key: {error.strerror};"
                f" run: rm -- {shlex.quote(str(path))}"
            ) from error

    def _lines(self) -> list[_KeyLine]:
        try:
            content = read_regular(self._path, MAX_FILE_BYTES + 1, expect=self._expect_private)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be read") from error
        except ValueError as error:  # a zero byte in the path
            raise self._unusable(str(error)) from error
        return _parse_lines(content, str(self._path))

    def _expect_private(self, status: os.stat_result) -> None:
        if is_of_another(status):
            raise self._unusable(f"it belongs to user id {status.st_uid}")
        if others_may_use(status):
            raise self._unusable("other users can read it; run chmod 600 on it")

    def _write(self, lines: list[_KeyLine]) -> None:
        text = "".join(line.text() for line in lines).encode()
        if len(text) > MAX_FILE_BYTES:
            raise self._unusable("it has too many keys; remove those of deleted vaults")
        try:
            write_whole(self._path, text, durable=True)  # mode 0600
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be written") from error

    def _locked(self) -> AbstractContextManager[None]:
        return exclusive_lock(self._path.with_name(self._path.name + ".lock"), self._unusable)

    def _unusable(self, why: str) -> KeyUnavailable:
        return KeyUnavailable(f"cannot use the key file {quote(str(self._path))}: {why}")


class KeyringKeys:
    """The OS keyring, which is unlocked with the user's session."""

    SERVICE = "mien"
    location = "OS keyring, service mien: unlocked with your session"

    def __init__(self, vault_id: bytes) -> None:
        self._vault_id = vault_id

    def load(self, key_id: bytes) -> bytes:
        found = self._entries().get(key_id.hex())
        try:
            key = bytes.fromhex(found or "")
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise _missing("the OS keyring")
        return key

    def new_key(self, key_id: bytes, random: Random) -> bytes:
        key = random(KEY_BYTES)
        self._store({**self._entries(), key_id.hex(): key.hex()})
        if self._entries().get(key_id.hex()) != key.hex():
            # such as keyring's null backend: it would lose the whole vault
            raise KeyUnavailable(
                "the OS keyring does not store keys; set PYTHON_KEYRING_BACKEND to"
                " another, or keep the key in a file: MIEN_VAULT_KEY=file"
            )
        return key

    def count_other_keys(self, key_id: bytes) -> int:
        return len(self._entries().keys() - {key_id.hex()})

    def remove_other_keys(self, key_id: bytes) -> None:
        entries = self._entries()
        kept = {name: key for name, key in entries.items() if name == key_id.hex()}
        if kept != entries:
            self._store(kept)

    def _entries(self) -> dict[str, str]:
        """One secret holds all keys of the vault, "id=key" each: keyrings cannot list."""
        text = self._call(lambda ring: ring.get_password(self.SERVICE, self._vault_id.hex())) or ""
        return dict(part.split("=", 1) for part in text.split() if "=" in part)

    def _store(self, entries: dict[str, str]) -> None:
        user = self._vault_id.hex()
        if not entries:
            self._call(lambda ring: ring.delete_password(self.SERVICE, user))
            return
        text = " ".join(f"{name}={key}" for name, key in entries.items())
        self._call(lambda ring: ring.set_password(self.SERVICE, user, text))

    def _call(self, ask: Callable[[Any], Any]) -> Any:
        try:
            import keyring
            from keyring.errors import KeyringError, NoKeyringError
        except ImportError as error:
            raise missing_extra("the OS keyring needs keyring", "keyring") from error
        try:
            return ask(keyring)
        except ImportError as error:  # keyring imports the backend that it was told to use
            raise KeyUnavailable(
                f"the keyring backend cannot be loaded ({quote(str(error))}); correct"
                " PYTHON_KEYRING_BACKEND, or keep the key in a file: MIEN_VAULT_KEY=file"
            ) from error
        except NoKeyringError as error:
            raise KeyUnavailable(
                "there is no keyring on this machine; start one (such as gnome-keyring), or keep"
                " the key in a file: MIEN_VAULT_KEY=file"
            ) from error
        except KeyringError as error:
            raise KeyUnavailable(
                f"the OS keyring refused ({quote(str(error))}); unlock it and try again"
            ) from error


def systemd_credential(environ: Mapping[str, str]) -> Path | None:
    """The path of the credential `mien.key`; None if systemd gave this process none."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / CREDENTIAL if folder else None
    try:
        return path if path is not None and path.exists() else None
    except OSError as error:  # a folder that this user may not enter
        raise KeyUnavailable(
            f"cannot look into {quote(str(folder))} for the credential: {error.strerror}"
        ) from error


class SystemdKeys:
    """A key file that systemd gives to the service, by `LoadCredentialEncrypted=mien.key`."""

    def __init__(self, path: Path, vault_id: bytes) -> None:
        self._path = path
        self._vault_id = vault_id

    @property
    def location(self) -> str:
        return f"systemd credential {CREDENTIAL}: given to the service when it starts"

    def load(self, key_id: bytes) -> bytes:
        try:
            content = read_regular(self._path, MAX_FILE_BYTES + 1)
        except OSError as error:
            words = f"cannot read the credential {quote(str(self._path))}: {error.strerror}"
            raise KeyUnavailable(words) from error
        name = str(self._path)
        return _find_key(_parse_lines(content, name), self._vault_id, key_id, name)

    def new_key(self, key_id: bytes, random: Random) -> bytes:
        raise KeyUnavailable(
            "mien cannot write systemd credentials; outside the service, use a key file, then"
            f" run: systemd-creds encrypt --name={CREDENTIAL} vault.key {CREDENTIAL}"
        )

    def count_other_keys(self, key_id: bytes) -> int:
        return 0  # the administrator replaces the credential as a whole

    def remove_other_keys(self, key_id: bytes) -> None:
        """Nothing to do: the administrator replaces the credential."""


class PassphraseKeys:
    """ask_passphrase: gives it, or raises KeyUnavailable where nobody can be asked.

    `new_key` raises UsageError for one that is too short.
    """

    location = "a passphrase, which is asked for each time"

    def __init__(self, ask_passphrase: Callable[[], str], kdf: Kdf) -> None:
        self._ask_passphrase = ask_passphrase
        self._kdf = kdf

    def load(self, key_id: bytes) -> bytes:
        return kek_of_passphrase(self._ask_passphrase(), self._kdf)

    def new_key(self, key_id: bytes, random: Random) -> bytes:
        return kek_of_passphrase(check_length(self._ask_passphrase()), self._kdf)

    def count_other_keys(self, key_id: bytes) -> int:
        return 0

    def remove_other_keys(self, key_id: bytes) -> None:
        """Nothing to do: a passphrase is stored nowhere."""


def _parse_lines(content: bytes, where: str) -> list[_KeyLine]:
    if len(content) > MAX_FILE_BYTES:
        raise KeyUnavailable(f"{quote(where)} is too large for a key file")
    lines = []
    for number, line in enumerate(content.splitlines(), start=1):
        parts = line.split()
        try:
            vault_id, key_id, key = (bytes.fromhex(part.decode("ascii")) for part in parts[2:])
            sound = parts[:2] == [_KEY_WORD, b"1"]
        except ValueError:
            sound, vault_id, key_id, key = False, b"", b"", b""
        sizes = (len(vault_id), len(key_id), len(key))
        if not sound or sizes != (VAULT_ID_BYTES, KEY_ID_BYTES, KEY_BYTES):
            # the line itself is not quoted: it may be a key with a typing error
            raise KeyUnavailable(
                f"line {number} of {quote(where)} is not a key of mien; restore the file"
            )
        lines.append(_KeyLine(vault_id, key_id, key))
    return lines


def _find_key(lines: list[_KeyLine], vault_id: bytes, key_id: bytes, where: str) -> bytes:
    for line in lines:
        if (line.vault_id, line.key_id) == (vault_id, key_id):
            return line.key
    raise _missing(where)


def _missing(where: str) -> KeyUnavailable:
    return KeyUnavailable(
        f"the key of this vault is not in {quote(where)}; restore the key from a backup, or move"
        " the vault away and enroll again"
    )
