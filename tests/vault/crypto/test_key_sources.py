"""Where keys lie: what is kept, what is refused, and what is never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mien.errors import KeyUnavailable
from mien.vault.crypto.key_sources import (
    MAX_FILE_BYTES,
    FileKeys,
    KeyringKeys,
    PassphraseKeys,
    SystemdKeys,
    systemd_credential,
)
from mien.vault.crypto.key_wrap import Kdf, kek_of_passphrase

keyring = pytest.importorskip("keyring")
from keyring.backend import KeyringBackend  # noqa: E402
from keyring.backends.fail import Keyring as NoKeyring  # noqa: E402
from keyring.errors import KeyringLocked, PasswordDeleteError  # noqa: E402

VAULT, OTHER_VAULT = b"v" * 16, b"w" * 16
ONE, TWO = b"1" * 16, b"2" * 16


def a(size: int) -> bytes:
    return b"a" * size


def b(size: int) -> bytes:
    return b"b" * size


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "vault.key"


def test_a_key_file_returns_the_keys_that_were_stored(file: Path) -> None:
    assert FileKeys(file, VAULT).new_key(ONE, a) == b"a" * 32
    assert FileKeys(file, VAULT).load(ONE) == b"a" * 32


def test_a_key_file_has_one_line_for_each_key(file: Path) -> None:
    FileKeys(file, VAULT).new_key(ONE, a)
    assert file.read_text() == f"mien-key 1 {'76' * 16} {'31' * 16} {'61' * 32}\n"


def test_a_key_file_and_its_folder_are_private(file: Path) -> None:
    FileKeys(file, VAULT).new_key(ONE, a)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_vaults_share_a_key_file_and_a_rotation_removes_its_own_old_key_only(file: Path) -> None:
    mine, theirs = FileKeys(file, VAULT), FileKeys(file, OTHER_VAULT)
    mine.new_key(ONE, a)
    theirs.new_key(ONE, b)
    mine.new_key(TWO, b)
    mine.remove_other_keys(TWO)
    assert (mine.load(TWO), theirs.load(ONE)) == (b"b" * 32, b"b" * 32)
    with pytest.raises(KeyUnavailable, match="not in"):
        mine.load(ONE)


def test_keys_added_at_the_same_time_are_all_kept(file: Path) -> None:
    ids = [bytes([i]) * 16 for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key_id: FileKeys(file, VAULT).new_key(key_id, a), ids))
    assert [FileKeys(file, VAULT).load(key_id) for key_id in ids] == [b"a" * 32] * 16


def test_an_absent_key_is_unavailable_and_the_message_says_what_to_do(file: Path) -> None:
    with pytest.raises(KeyUnavailable, match="restore the key from a backup"):
        FileKeys(file, VAULT).load(ONE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_key_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    FileKeys(file, VAULT).new_key(ONE, a)
    file.chmod(mode)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        FileKeys(file, VAULT).load(ONE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("through_link", [False, True])
def test_a_key_file_of_another_user_is_refused(file: Path, through_link: bool) -> None:
    FileKeys(file, VAULT).new_key(ONE, a)
    os.chown(file, 4321, -1)
    path = file
    if through_link:
        path = file.with_name("link")
        path.symlink_to(file)
    with pytest.raises(KeyUnavailable, match="belongs to user id 4321"):
        FileKeys(path, VAULT).load(ONE)


def test_a_pipe_as_key_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(KeyUnavailable, match="not a regular file"):
        FileKeys(tmp_path / "pipe", VAULT).load(ONE)


def test_a_key_file_that_is_too_large_is_refused(file: Path) -> None:
    FileKeys(file, VAULT).new_key(ONE, a)
    file.write_bytes(b"\n" * (MAX_FILE_BYTES + 1))
    with pytest.raises(KeyUnavailable, match="too large"):
        FileKeys(file, VAULT).load(ONE)


@pytest.mark.parametrize(
    "line",
    [
        "secret",
        "",
        f"mien-key 2 {'76' * 16} {'31' * 16} {'61' * 32}",
        f"mien-key 1 {'76' * 16} {'31' * 16} {'61' * 31}",
        f"mien-key 1 {'76' * 16} {'31' * 16} {'6g' * 32}",
        f"mien-key 1 {'76' * 16} {'31' * 16} {'61' * 32} more",
        f"mien-key 1 {'76' * 16} {'31' * 16} é",
    ],
)
def test_a_malformed_line_is_named_by_its_number_and_not_shown(file: Path, line: str) -> None:
    FileKeys(file, VAULT).new_key(ONE, a)
    with file.open("a", encoding="utf-8") as opened:
        opened.write(line + "\n")
    with pytest.raises(KeyUnavailable, match="line 2 ") as caught:
        FileKeys(file, VAULT).load(ONE)
    assert "secret" not in str(caught.value)
    assert "6161" not in str(caught.value)


class Ring(KeyringBackend):
    """A keyring in a dictionary."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")


def no_ring() -> KeyringBackend:
    return NoKeyring()  # type: ignore[no-untyped-call]


class LockedRing(Ring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("locked")


@pytest.fixture
def before() -> Iterator[None]:
    ring: KeyringBackend = keyring.get_keyring()
    yield
    keyring.set_keyring(ring)


@pytest.mark.usefixtures("before")
def test_a_keyring_keeps_the_keys_of_each_vault_apart() -> None:
    keyring.set_keyring(Ring())
    mine, theirs = KeyringKeys(VAULT), KeyringKeys(OTHER_VAULT)
    assert mine.new_key(ONE, a) == b"a" * 32
    mine.new_key(TWO, b)
    theirs.new_key(ONE, b)
    assert (mine.load(ONE), mine.load(TWO)) == (b"a" * 32, b"b" * 32)
    mine.remove_other_keys(TWO)
    assert (mine.load(TWO), theirs.load(ONE)) == (b"b" * 32, b"b" * 32)
    with pytest.raises(KeyUnavailable, match="restore"):
        mine.load(ONE)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize(
    ("ring", "words"), [(no_ring(), "there is no keyring"), (LockedRing(), "unlock it")]
)
def test_an_absent_or_locked_keyring_is_unavailable(ring: KeyringBackend, words: str) -> None:
    keyring.set_keyring(ring)
    keys = KeyringKeys(VAULT)
    with pytest.raises(KeyUnavailable, match=words):
        keys.load(ONE)
    with pytest.raises(KeyUnavailable, match=words):
        keys.new_key(ONE, a)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("text", ["", "nonsense", f"{ONE.hex()}=zz", f"{ONE.hex()}=00"])
def test_a_keyring_entry_that_is_not_a_key_is_unavailable(text: str) -> None:
    ring = Ring()
    ring.set_password("mien", VAULT.hex(), text)
    keyring.set_keyring(ring)
    with pytest.raises(KeyUnavailable):
        KeyringKeys(VAULT).load(ONE)


def test_a_systemd_credential_is_a_key_file_that_only_reads(tmp_path: Path) -> None:
    FileKeys(tmp_path / "mien.key", VAULT).new_key(ONE, a)
    path = systemd_credential({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert path is not None
    keys = SystemdKeys(path, VAULT)
    assert keys.load(ONE) == b"a" * 32
    with pytest.raises(KeyUnavailable, match="systemd-creds encrypt"):
        keys.new_key(TWO, b)
    keys.remove_other_keys(TWO)
    assert keys.load(ONE) == b"a" * 32


def test_a_service_without_a_credential_has_none(tmp_path: Path) -> None:
    assert systemd_credential({}) is None
    assert systemd_credential({"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None


def test_a_systemd_credential_that_is_gone_or_too_large_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "mien.key"
    with pytest.raises(KeyUnavailable, match="cannot read"):
        SystemdKeys(path, VAULT).load(ONE)
    path.write_bytes(b"\n" * (MAX_FILE_BYTES + 1))
    with pytest.raises(KeyUnavailable, match="too large"):
        SystemdKeys(path, VAULT).load(ONE)


def test_a_passphrase_always_gives_the_same_key() -> None:
    kdf = Kdf(b"s" * 16, memory_kib=19 * 1024, passes=1, lanes=1)
    keys = PassphraseKeys(lambda: "open sesame!", kdf)
    assert keys.load(ONE) == keys.new_key(TWO, a) == kek_of_passphrase("open sesame!", kdf)


def test_a_passphrase_that_nobody_can_be_asked_for_is_unavailable() -> None:
    def nobody() -> str:
        raise KeyUnavailable("no terminal here")

    with pytest.raises(KeyUnavailable, match="no terminal"):
        PassphraseKeys(nobody, Kdf(b"s" * 16)).load(ONE)


def test_no_key_source_shows_a_key(file: Path) -> None:
    keys = FileKeys(file, VAULT)
    keys.new_key(ONE, a)
    assert all("6161" not in text and "aaaa" not in text for text in (repr(keys), keys.location))
    assert "61" * 8 not in repr(keys._lines())


def test_a_directory_in_place_of_the_key_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vault.key").mkdir(mode=0o700)
    with pytest.raises(KeyUnavailable, match="not a regular file"):
        FileKeys(tmp_path / "vault.key", bytes(16)).load(bytes(16))


def test_a_keyring_that_stores_nothing_is_detected_before_a_vault_depends_on_it() -> None:
    import keyring
    from keyring.backends.null import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        with pytest.raises(KeyUnavailable):
            KeyringKeys(bytes(16)).new_key(bytes(16), bytes)
    finally:
        keyring.set_keyring(before)
