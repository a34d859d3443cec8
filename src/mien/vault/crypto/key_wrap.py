"""The vault's header: its data key, encrypted (wrapped) under the key from a key source."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable

from mien.errors import KeyUnavailable, VaultDamaged
from mien.records import dataclass, field
from mien.vault.crypto.aead import KEY_BYTES, NONCE_BYTES, VAULT_ID_BYTES, length_prefixed

KEY_ID_BYTES = 16
SALT_BYTES = 16
MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Kdf:
    """Argon2id's parameters (RFC 9106; the default is its second recommendation)."""

    salt: bytes
    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4

    def __post_init__(self) -> None:
        # a file may have been crafted: it must neither exhaust the machine nor weaken the key
        sound = (
            len(self.salt) == SALT_BYTES
            and 19 * 1024 <= self.memory_kib <= 1024 * 1024
            and 1 <= self.passes <= 16
            and 1 <= self.lanes <= 16
        )
        if not sound:
            raise ValueError("the passphrase parameters are out of range")


@dataclass(frozen=True, slots=True)
class Header:
    """vault_id: 16 bytes. key_id: 16 bytes, of the wrapping key. kind: where that key is kept.

    kdf: of a passphrase, else None. wrapped: the data key under the wrapping key.
    """

    vault_id: bytes
    key_id: bytes
    kind: str
    kdf: Kdf | None
    wrapped: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        kdf = None if self.kdf is None else _kdf_table(self.kdf)
        table = {
            "format": 1,
            "kdf": kdf,
            "key_id": self.key_id.hex(),
            "kind": self.kind,
            "vault_id": self.vault_id.hex(),
            "wrapped": self.wrapped.hex(),
        }
        return json.dumps(table, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Header:
        """Read what `to_bytes` wrote. VaultDamaged for anything else."""
        if len(packed) > MAX_BYTES:
            raise _damaged("is too large")
        try:
            table = json.loads(packed)
            if table["format"] != 1:
                raise _damaged("has another format; upgrade mien, or")
            kdf = None if table["kdf"] is None else _kdf(table["kdf"])
            header = cls(
                bytes.fromhex(table["vault_id"]),
                bytes.fromhex(table["key_id"]),
                str(table["kind"]),
                kdf,
                bytes.fromhex(table["wrapped"]),
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _damaged("cannot be read") from error
        ids = (len(header.vault_id), len(header.key_id))
        if ids != (VAULT_ID_BYTES, KEY_ID_BYTES) or header.to_bytes() != packed:
            raise _damaged("was not written by mien")
        return header


def new_kdf(random: Callable[[int], bytes]) -> Kdf:
    """The default parameters with a new salt."""
    return Kdf(random(SALT_BYTES))


def kek_of_passphrase(passphrase: str, kdf: Kdf) -> bytes:
    """Derive 32 bytes by Argon2id from the passphrase in Unicode's composed form.

    It takes a fifth of a second, so that guessing is slow. Raises KeyUnavailable for an empty one.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    if not passphrase:
        raise KeyUnavailable("the passphrase is empty; type it, or name its file")
    try:
        secret = unicodedata.normalize("NFC", passphrase).encode()
    except UnicodeEncodeError as error:
        raise KeyUnavailable("the passphrase is not Unicode text; type it in UTF-8") from error
    try:
        argon = Argon2id(
            salt=kdf.salt,
            length=KEY_BYTES,
            iterations=kdf.passes,
            lanes=kdf.lanes,
            memory_cost=kdf.memory_kib,
        )
    except UnsupportedAlgorithm as error:
        raise KeyUnavailable(
            "this build of cryptography has no Argon2id; install its wheel from PyPI, or use"
            " another key: mien vault rotate --key file"
        ) from error
    return argon.derive(secret)


def wrap(
    data_key: bytes,
    kek: bytes,
    *,
    vault_id: bytes,
    key_id: bytes,
    kind: str,
    kdf: Kdf | None,
    random: Callable[[int], bytes],
) -> Header:
    """The header with `data_key` encrypted under the key `kek`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    bare = Header(vault_id, key_id, kind, kdf, b"")
    nonce = random(NONCE_BYTES)
    wrapped = nonce + AESGCM(kek).encrypt(nonce, data_key, _associated(bare))
    return Header(vault_id, key_id, kind, kdf, wrapped)


def unwrap(header: Header, kek: bytes, *, opens: str = "this vault") -> bytes:
    """Decrypt the data key. opens: what it opens, for the error.

    Raises VaultDamaged for a wrong key and for an altered header, and KeyUnavailable for a
    wrong passphrase.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, rest = header.wrapped[:NONCE_BYTES], header.wrapped[NONCE_BYTES:]
    try:
        data_key = AESGCM(kek).decrypt(nonce, rest, _associated(header))
    except (InvalidTag, ValueError) as error:  # ValueError: the nonce is too short
        if header.kind == "passphrase":
            raise KeyUnavailable(
                f"the passphrase does not open {opens}; type it again (or the header was altered)"
            ) from error
        raise _damaged("was altered, or its key was") from error
    if len(data_key) != KEY_BYTES:
        raise _damaged("has no key in it")
    return data_key


def _associated(header: Header) -> bytes:
    kdf = b"" if header.kdf is None else json.dumps(_kdf_table(header.kdf), sort_keys=True).encode()
    return length_prefixed(
        [b"mien header 1", header.vault_id, header.key_id, header.kind.encode(), kdf]
    )


def _kdf_table(kdf: Kdf) -> dict[str, object]:
    return {
        "lanes": kdf.lanes,
        "memory_kib": kdf.memory_kib,
        "name": "argon2id",
        "passes": kdf.passes,
        "salt": kdf.salt.hex(),
    }


def _kdf(table: dict[str, object]) -> Kdf:
    if table["name"] != "argon2id":
        raise ValueError("unknown key derivation")
    numbers = [table["memory_kib"], table["passes"], table["lanes"]]
    # type() rather than isinstance, because true is an int to isinstance
    if not all(type(number) is int for number in numbers):
        raise ValueError("a parameter is not a whole number")
    return Kdf(bytes.fromhex(str(table["salt"])), *numbers)  # type: ignore[arg-type]


def _damaged(what: str) -> VaultDamaged:
    return VaultDamaged(f"the vault's header {what}; restore the vault from a backup")
