"""Authenticated encryption and keyed hashes under the data key of one vault.

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces, under a subkey for each purpose
by HKDF-SHA256 (RFC 5869). Everything that a sealed text belongs to is part of its
associated data, so that it opens in its own place only.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mien.errors import VaultDamaged

if TYPE_CHECKING:  # cryptography takes 30 ms to import
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
VAULT_ID_BYTES = 16
NONCE_BYTES = 12
_TAG_BYTES = 16


class VaultCipher:
    """data_key: 32 secret bytes. vault_id: 16 bytes, public. random: n -> n bytes, for nonces."""

    def __init__(
        self,
        data_key: bytes,
        vault_id: bytes,
        *,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if len(data_key) != KEY_BYTES or len(vault_id) != VAULT_ID_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes and a vault's id {VAULT_ID_BYTES}")
        self.vault_id = vault_id
        self._data_key = data_key
        self._random = random
        self._ciphers: dict[str, AESGCM] = {}
        self._tag_key = self._subkey("tags")

    def __repr__(self) -> str:
        return f"VaultCipher(vault_id={self.vault_id.hex()})"

    def tag(self, purpose: str, text: str) -> bytes:
        """HMAC-SHA256 of the text, 32 bytes: always the same, and tells nothing of the text."""
        message = length_prefixed([purpose.encode(), text.encode()])
        return hmac.digest(self._tag_key, message, "sha256")

    def seal(self, plain: bytes, *, purpose: str, bound_to: Sequence[bytes]) -> bytes:
        """Encrypt: nonce, ciphertext and authentication tag."""
        nonce = self._random(NONCE_BYTES)
        associated = self._associated_data(purpose, bound_to)
        return nonce + self._cipher(purpose).encrypt(nonce, plain, associated)

    def open(self, sealed: bytes, *, purpose: str, bound_to: Sequence[bytes]) -> bytes:
        """Decrypt. VaultDamaged for altered bytes, another key, or another purpose or place."""
        from cryptography.exceptions import InvalidTag

        nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        if len(rest) < _TAG_BYTES:
            raise _altered(purpose)
        associated = self._associated_data(purpose, bound_to)
        try:
            return self._cipher(purpose).decrypt(nonce, rest, associated)
        except InvalidTag as error:
            raise _altered(purpose) from error

    def transform_key(self, model_sha256: str) -> bytes:
        """The secret that rotates this model's templates, 32 bytes."""
        return self._subkey("transform", model_sha256.encode())

    def _associated_data(self, purpose: str, bound_to: Sequence[bytes]) -> bytes:
        return length_prefixed([b"mien seal 1", self.vault_id, purpose.encode(), *bound_to])

    def _cipher(self, purpose: str) -> AESGCM:
        if purpose not in self._ciphers:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._ciphers[purpose] = AESGCM(self._subkey("seal", purpose.encode()))
        return self._ciphers[purpose]

    def _subkey(self, *info: str | bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        parts = [part.encode() if isinstance(part, str) else part for part in info]
        whole = length_prefixed([b"mien subkey 1", *parts])
        kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=self.vault_id, info=whole)
        return kdf.derive(self._data_key)


def length_prefixed(parts: Sequence[bytes]) -> bytes:
    """Join the parts, each after its length, so that no byte can move from one to the next."""
    return b"".join([len(part).to_bytes(8, "big") + part for part in parts])


def _altered(purpose: str) -> VaultDamaged:
    return VaultDamaged(
        f"a sealed part of the vault ({purpose}) was altered, or belongs to another place or key;"
        " restore the vault from a backup"
    )
