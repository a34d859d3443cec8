"""A new key for the whole vault, in one transaction: the old key opens nothing afterwards.

The new key is in its place before the vault is changed, and the old one is taken away
after: whenever the process dies, the vault opens, and running it again finishes the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from mien.errors import KeyUnavailable, VaultDamaged
from mien.vault.backends.base import Section
from mien.vault.crypto.aead import KEY_BYTES, Seals
from mien.vault.integrity.manifest import Index
from mien.vault.limits.counters import PURPOSE as ATTEMPT
from mien.vault.limits.counters import name_of_attempts, write_plain
from mien.vault.records.record import Record
from mien.vault.records.sealed_record import open_record, seal_record, user_tag
from mien.vault.records.template_codec import pack_template, unpack_template
from mien.vault.transaction import HEADER_KEY, Opened, Safe


def rotate(
    safe: Safe,
    *,
    kind: str | None = None,
    accept_log: Callable[[Opened], None] | None = None,
    last: Callable[[Opened], None] = lambda opened: None,
) -> int:
    """Seal everything anew under a new key. Returns how many records there were.

    kind: where the new key goes; None stays with the present kind. Templates are turned
    by a new secret rotation too, so that nothing taken earlier can be linked to them.
    accept_log: go on with what is left of a log that was tampered with, after which this
    notes that in the log; None refuses it with VaultDamaged. last: done at the end of the
    same transaction, such as an entry in the log.
    """
    with safe.writing(create=False) as opened:
        data_key = safe.random(KEY_BYTES)
        old = Opened(opened.index, opened.seals, opened.header, opened.cells)
        contents = _contents_of(old, accept_log=accept_log is not None)
        vault_id = old.seals.vault_id
        opened.header, _ = safe.new_header(data_key, vault_id, kind or old.header.kind)
        opened.seals = Seals(data_key, vault_id)
        opened.index = Index(old.cells, opened.seals, new=True)
        opened.index.counter = old.index.counter
        _empty(old)
        _reseal(contents, old, opened)
        if accept_log is not None and not contents.log_is_whole:
            accept_log(opened)
        last(opened)
        opened.cells.put(Section.META, HEADER_KEY, opened.header.to_bytes())
    try:
        drop_old_keys(safe, also=old.header.kind)
    except VaultDamaged as error:
        words = f"all is under the new key, but the old one could not be taken away: {error}"
        raise VaultDamaged(words) from error
    return len(contents.records)


def drop_old_keys(safe: Safe, *, also: str = "file") -> None:
    """Forget every key of this vault but the one that opens it; also finishes a broken rotation.

    also: a kind whose place is looked into, beside that of the key that opens it. The
    others are left in peace: a keyring may be absent, or ask for a password.
    """
    # while this transaction lasts nobody else rotates, so no key that is needed can be dropped
    with safe.writing(create=False) as opened:
        header = opened.header
        for kind in {"file", header.kind, also}.intersection(safe.keys.writable_kinds):
            with suppress(KeyUnavailable):  # a place that is not to be had holds no key either
                safe.keys.source(kind, header.vault_id, None).keep_only(header.key_id)


@dataclass(frozen=True, slots=True)
class _Contents:
    """All of a vault, opened. gallery: whether it keeps one, which is made anew."""

    records: list[Record] = field(repr=False)
    attempts: list[bytes] = field(repr=False)
    log: list[bytes] = field(repr=False)
    log_is_whole: bool
    gallery: bool


def _contents_of(old: Opened, *, accept_log: bool) -> _Contents:
    """VaultDamaged for what does not check out, before a new key is made."""
    attempts = []
    for tag, cell in old.index.scan(Section.ATTEMPT):
        bound_to = [tag, cell.version.to_bytes(8, "big")]
        attempts.append(old.seals.open(cell.value, purpose=ATTEMPT, bound_to=bound_to))
    entries, whole = _log_of(old, accept=accept_log)
    return _Contents(
        records=[open_record(tag, cell, old.seals) for tag, cell in old.index.scan(Section.RECORD)],
        attempts=attempts,
        log=entries,
        log_is_whole=whole,
        gallery=old.index.count(Section.GALLERY) > 0,  # by the index: its cells may be damaged
    )


def _empty(old: Opened) -> None:
    for space in Section:
        if space is not Section.META:
            old.cells.clear(space)


def _reseal(contents: _Contents, old: Opened, new: Opened) -> None:
    from mien.vault.records import centroids

    for record in contents.records:
        turned = turned_anew(record, old.seals, new.seals)
        sealed = seal_record(turned, new.seals, version=new.index.next_version)
        new.index.put(Section.RECORD, user_tag(turned.user, new.seals), sealed)
    for plain in contents.attempts:
        write_plain(plain, name_of_attempts(plain), new)
    for entry in contents.log:
        new.index.append_log(entry)
    if contents.gallery:
        centroids.turn_on(new)


def _log_of(old: Opened, *, accept: bool) -> tuple[list[bytes], bool]:
    """The log's entries, and whether it is whole: a new chain over a cut one would hide the cut."""
    try:
        return old.index.log_entries(), True
    except VaultDamaged:
        if not accept:
            raise
        return old.index.log_remains(), False


def turned_anew(record: Record, old: Seals | None, new: Seals | None) -> Record:
    """The record with its vectors under another key; None stands for plain vectors."""
    from mien.results import Template
    from mien.vault.crypto.template_rotation import Transform

    template = unpack_template(record.payload, expected_model=record.model)
    vectors, sha256 = template.vectors, record.model.sha256
    dims = vectors.shape[1]
    if old is not None:
        vectors = Transform(old.transform_key(sha256), dims).reveal(vectors)
    if new is not None:
        vectors = Transform(new.transform_key(sha256), dims).protect(vectors)
    payload = pack_template(Template(vectors, template.model))
    return Record(record.user, record.model, record.created_at, payload)
