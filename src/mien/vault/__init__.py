"""Templates at rest: who is enrolled, and the bytes of each template."""

from __future__ import annotations

from mien.vault.codec import pack_template, unpack_template
from mien.vault.memory import MemoryVault
from mien.vault.protocol import Vault
from mien.vault.record import Record, RecordHead, already_enrolled, check_user_name, utc_stamp
from mien.vault.sqlite import SqliteVault

__all__ = [
    "MemoryVault",
    "Record",
    "RecordHead",
    "SqliteVault",
    "Vault",
    "already_enrolled",
    "check_user_name",
    "pack_template",
    "unpack_template",
    "utc_stamp",
]
