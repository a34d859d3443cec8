"""Seal shards and plans: embeddings recognise people, and photo names often name them.

Each run has a data key of its own, wrapped under a key that is kept as a vault's is: in a key file
(`bulk.key`, beside `vault.key`), in the OS keyring, or nowhere but in a passphrase. A sealed file
opens under its own name only, so that shards cannot be swapped.
"""

from __future__ import annotations

import os
from pathlib import Path

from mien.errors import KeyUnavailable, VaultDamaged, quote
from mien.settings import Settings
from mien.vault.crypto.aead import KEY_BYTES, VAULT_ID_BYTES, VaultCipher
from mien.vault.crypto.key_wrap import KEY_ID_BYTES, Header, new_kdf, unwrap, wrap
from mien.vault.crypto.local_keys import AskPassphrase, LocalKeys

MAGIC = b"mienSHD1"
PURPOSE = "bulk"


class Sealer:
    """Seals and opens the files of one run. key: 32 secret bytes. run_id: 16 bytes, public.

    Picklable: a cluster's workers need the key.
    """

    def __init__(self, key: bytes, run_id: bytes) -> None:
        self._key, self._run_id = key, run_id

    def __repr__(self) -> str:
        return f"Sealer(run_id={self._run_id.hex()})"

    def seal(self, content: bytes, name: str) -> bytes:
        """The content of a file of this name, encrypted."""
        cipher = VaultCipher(self._key, self._run_id)
        return MAGIC + cipher.seal(content, purpose=PURPOSE, bound_to=[name.encode()])

    def open(self, sealed: bytes, name: str) -> bytes:
        """Decrypt. VaultDamaged for altered bytes, and for those of another file or run."""
        try:
            if not sealed.startswith(MAGIC):
                raise VaultDamaged("it is not sealed")
            cipher = VaultCipher(self._key, self._run_id)
            return cipher.open(sealed[len(MAGIC) :], purpose=PURPOSE, bound_to=[name.encode()])
        except VaultDamaged as error:
            raise VaultDamaged(
                f"{quote(name)} was altered, or belongs to another run; remove it and run"
                " mien bulk embed --resume again"
            ) from error


def new_sealer(settings: Settings, ask_passphrase: AskPassphrase) -> tuple[Sealer, bytes]:
    """A new run's sealer, and the header to store: it opens with this user's key only.

    Raises KeyUnavailable, and UsageError for a passphrase that is too short.
    """
    run_id, key_id, data_key = (os.urandom(n) for n in (VAULT_ID_BYTES, KEY_ID_BYTES, KEY_BYTES))
    kind = settings.vault_key
    kdf = new_kdf(os.urandom) if kind == "passphrase" else None
    source = _keys(settings, ask_passphrase).source(kind, run_id, kdf)
    kek = source.new_key(key_id, os.urandom)
    header = wrap(
        data_key, kek, vault_id=run_id, key_id=key_id, kind=kind, kdf=kdf, random=os.urandom
    )
    return Sealer(data_key, run_id), header.to_bytes()


def open_sealer(header: bytes, settings: Settings, ask_passphrase: AskPassphrase) -> Sealer:
    """The sealer of a run that was begun. Raises KeyUnavailable and VaultDamaged."""
    try:
        found = Header.from_bytes(header)
        source = _keys(settings, ask_passphrase).source(found.kind, found.vault_id, found.kdf)
        return Sealer(
            unwrap(found, source.load(found.key_id), opens="these shards"), found.vault_id
        )
    except VaultDamaged as error:
        raise VaultDamaged(
            "the header of the shards was altered; embed the photos again"
        ) from error
    except KeyUnavailable as error:
        raise KeyUnavailable(f"cannot open the sealed shards: {error}") from error


def key_path(settings: Settings) -> Path:
    """The file with the keys of this user's runs."""
    return settings.key_path.with_name("bulk.key")


def _keys(settings: Settings, ask_passphrase: AskPassphrase) -> LocalKeys:
    return LocalKeys(
        key_path(settings),
        default_kind=settings.vault_key,
        ask_passphrase=ask_passphrase,
        environ={},
    )
