"""What can be said of a vault, and whether all of it checks out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from mien.errors import KeyUnavailable, VaultDamaged
from mien.vault.backends.base import Section
from mien.vault.crypto.key_wrap import Header
from mien.vault.integrity.audit_log import Entry
from mien.vault.limits.counters import PURPOSE as ATTEMPT
from mien.vault.limits.counters import name_of_attempts
from mien.vault.records.sealed_record import open_record
from mien.vault.transaction import Opened, Safe


@dataclass(frozen=True, slots=True)
class VaultStatus:
    """key_kind: of `KEY_KINDS`. key_where: in words. counter: changes so far. gallery: kept?
    more_keys: how many a rotation that was killed left beside its own.
    """

    key_kind: str
    key_where: str
    people: int
    counter: int
    log_entries: int
    gallery: bool
    more_keys: int


def vault_status(safe: Safe) -> VaultStatus | None:
    """From the index alone; None where there is no vault yet. VaultDamaged where it is gone."""
    with safe.reading() as opened:
        if opened is not None:
            return _facts(opened, safe)
    safe.expect_never_seen()
    return None


def verify_all(safe: Safe, *, accept: Callable[[Opened], None] | None = None) -> VaultStatus | None:
    """Open every record, count and log entry, and let the store look itself over.

    accept: an older copy was put back on purpose, which this then notes in the log, or the
    vault was taken away; None refuses both. Raises VaultDamaged for the first thing that
    does not check out.
    """
    from mien.vault.records import centroids

    safe.store.check()
    with safe.reading(accept=accept is not None) as opened:
        if opened is None:
            safe.expect_never_seen(accept=accept is not None)
            return None
        for tag, cell in opened.index.scan(Section.RECORD):
            open_record(tag, cell, opened.seals)
        for tag, cell in opened.index.scan(Section.ATTEMPT):
            bound_to = [tag, cell.version.to_bytes(8, "big")]
            plain = opened.seals.open(cell.value, purpose=ATTEMPT, bound_to=bound_to)
            if opened.seals.tag(ATTEMPT, name_of_attempts(plain)) != tag:
                raise VaultDamaged("a count of attempts lies at another name; restore the vault")
        centroids.check(opened)
        for entry in opened.index.log_entries():
            Entry.from_bytes(entry)
        facts = _facts(opened, safe)
    if accept is None:
        return facts
    safe.accept(accept)
    return vault_status(safe)


def _facts(opened: Opened, safe: Safe) -> VaultStatus:
    header, index = opened.header, opened.index
    source = safe.keys.source(header.kind, header.vault_id, header.kdf)
    return VaultStatus(
        key_kind=header.kind,
        key_where=source.where,
        people=index.count(Section.RECORD),
        counter=index.counter,
        log_entries=index.log_count,
        gallery=index.count(Section.GALLERY) > 0,
        more_keys=_more_keys(header, safe),
    )


def _more_keys(header: Header, safe: Safe) -> int:
    """In the place of the key and in the key file, which a vault often had before."""
    found = 0
    for kind in {"file", header.kind}.intersection(safe.keys.writable_kinds):
        with suppress(KeyUnavailable):
            found += safe.keys.source(kind, header.vault_id, None).others(header.key_id)
    return found
