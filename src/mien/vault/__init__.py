"""Templates at rest: who is enrolled, and the bytes of each template, sealed.

A vault is opened by `mien.vault.open`.
"""

from __future__ import annotations

from mien.vault.records.record import (
    Record,
    RecordHead,
    already_enrolled,
    check_user_name,
    utc_stamp,
)
from mien.vault.records.template_codec import pack_template, unpack_template

__all__ = [
    "Record",
    "RecordHead",
    "already_enrolled",
    "check_user_name",
    "pack_template",
    "unpack_template",
    "utc_stamp",
]
