"""Enroll the people of a run's shards: one for each folder directly in its source."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from mien.bulk.embedded_photo import EmbeddedPhoto
from mien.bulk.plan import RunInfo, Shard, plan_numbers, read_plan, read_run
from mien.bulk.shard_file import decode_shard, expect_parquet, photo_key, text_of
from mien.bulk.shard_seal import Sealer, open_sealer
from mien.bulk.storage import Folder, open_folder
from mien.errors import ModelMismatch, UsageError, VaultDamaged, quote
from mien.matching.matcher import Matcher
from mien.matching.policy import near_duplicates
from mien.models import EmbedderRow, find_embedder
from mien.results import FloatArray
from mien.settings import Settings
from mien.vault.bulk_enrollment import EnrolledPerson
from mien.vault.crypto.local_keys import AskPassphrase

if TYPE_CHECKING:
    from mien.vault.vault import Vault

MAX_PHOTOS = 50  # of a person, spread evenly: more make no better template, and a slower unlock

Progress = Callable[[Iterable[EmbeddedPhoto]], Iterable[EmbeddedPhoto]]


@dataclass(frozen=True, slots=True)
class EnrollRequest:
    """What to enroll. shards: the destination of a run.

    accept_plain: also shards that are not sealed, which anybody could have written. replace: the
    template of a name that is enrolled; else it stays.
    """

    shards: str
    model: str
    accept_plain: bool = False
    replace: bool = False


def enroll_shards(
    request: EnrollRequest,
    *,
    settings: Settings,
    vault: Vault,
    ask_passphrase: AskPassphrase,
    progress: Progress = lambda photos: photos,
) -> list[EnrolledPerson]:
    """Enroll everybody of a complete run, and say of each how it went.

    The rules are those of enrollment: photos outside the calibrated quality are left out, and
    nobody is enrolled from photos that do not show one person. Raises UsageError for a run that is
    not complete, not sealed or not made carefully; ModelMismatch for another model; VaultDamaged
    for a shard that was altered; KeyUnavailable.
    """
    expect_parquet()
    folder = open_folder(request.shards)
    row = find_embedder(request.model, settings.data_dir)
    run = read_run(folder)
    if run is None:
        raise UsageError(f"{quote(folder.place)} has no run.json; run: mien bulk embed")
    _check_run(run, row, accept_plain=request.accept_plain)
    sealer = None
    if run.is_sealed:
        sealer = open_sealer(bytes.fromhex(run.header), settings, ask_passphrase)
    _check_complete(folder, sealer)
    matcher = Matcher(row, calibration=settings.calibration, data_dir=settings.data_dir)
    refused: list[EnrolledPerson] = []
    photos = progress(_sorted_photos(folder, run, sealer))
    people = _people(photos, matcher, refused)
    enrolled = vault.enroll_many(people, model=row.id, replace=request.replace)
    return enrolled + refused


def _check_run(run: RunInfo, row: EmbedderRow, *, accept_plain: bool) -> None:
    if (run.model, run.model_sha256, run.dims) != (row.model.name, row.model.sha256, row.dims):
        raise ModelMismatch(
            f"the shards are of the model {run.model} ({run.model_sha256[:12]}), not of"
            f" {row.model.name} ({row.model.sha256[:12]}); embed the photos with this one"
        )
    if not run.carefully:
        raise UsageError(
            "these shards were made with --quick, without the checks of enrollment; embed the"
            " photos again without it"
        )
    if not run.is_sealed and not accept_plain:
        raise UsageError(
            "these shards are not sealed, so whoever could write the folder could have put another"
            " face into them; pass --plain if you trust it"
        )


def _check_complete(folder: Folder, sealer: Sealer | None) -> None:
    there = folder.names()
    missing = sum(
        shard.name not in there
        for number in plan_numbers(folder)
        for shard in read_plan(folder, number, sealer)
    )
    if missing or not plan_numbers(folder):
        raise UsageError(
            f"{missing} shards are missing in {quote(folder.place)}; run mien bulk embed --resume"
            " until it is complete"
        )


def _sorted_photos(folder: Folder, run: RunInfo, sealer: Sealer | None) -> Iterator[EmbeddedPhoto]:
    """All photos by their names; of each plan one shard is in memory at a time."""
    plans = [_photos_of_plan(folder, run, sealer, number) for number in plan_numbers(folder)]
    return heapq.merge(*plans, key=lambda photo: photo_key(photo.name))


def _photos_of_plan(
    folder: Folder, run: RunInfo, sealer: Sealer | None, number: int
) -> Iterator[EmbeddedPhoto]:
    for shard in read_plan(folder, number, sealer):
        content = folder.read(shard.name)
        if sealer is not None:
            content = sealer.open(content, shard.name)
        photos, metadata = decode_shard(content, shard.name, dims=run.dims)
        if metadata.get("model_sha256") != run.model_sha256 or not metadata.get("carefully"):
            raise ModelMismatch(
                f"{quote(shard.name)} was made with another model or other options than the run;"
                " remove it and run mien bulk embed --resume again"
            )
        if metadata.get("shard") != shard.name or not _are_planned(photos, shard):
            raise VaultDamaged(
                f"{quote(shard.name)} has not the photos that were planned; remove it and run"
                " mien bulk embed --resume again"
            )
        yield from photos


def _are_planned(photos: Sequence[EmbeddedPhoto], shard: Shard) -> bool:
    return [one.name for one in photos] == [text_of(name) for name in shard.photos]


def _people(
    photos: Iterable[EmbeddedPhoto], matcher: Matcher, refused: list[EnrolledPerson]
) -> Iterator[tuple[str, FloatArray]]:
    """Each person with the vectors to store. Who cannot be enrolled is added to `refused`."""
    for user, its in groupby(photos, key=_person_of):
        found = list(its)
        if not user:
            why = "the photo is in no folder of a person"
            refused += [EnrolledPerson(one.name, "refused", why=why) for one in found]
            continue
        good = [one for one in found if one.vector is not None and not one.faults]
        if not good:
            refused.append(EnrolledPerson(user, "refused", why=_why_none(found)))
            continue
        good = [good[row] for row in _spread(len(good))]
        vectors = np.stack([one.vector for one in good if one.vector is not None])
        twins = {row for row, _ in near_duplicates(vectors)}
        kept = [row for row in range(len(good)) if row not in twins]
        strangers = matcher.check_consistency(vectors[kept]).strangers
        if strangers:
            names = ", ".join(quote(good[kept[row]].name) for row in strangers[:3])
            why = f"the photos do not show one person: {names}; leave out those of others"
            refused.append(EnrolledPerson(user, "refused", why=why))
            continue
        yield user, vectors[kept]


def _person_of(photo: EmbeddedPhoto) -> str:
    folder, separator, _ = photo.name.partition("/")
    return folder if separator else ""


def _why_none(photos: Sequence[EmbeddedPhoto]) -> str:
    """The most common reason why no photo of a person can be used."""
    reasons = Counter(one.error or "; ".join(one.faults) for one in photos)
    return f"no photo can be enrolled: {reasons.most_common(1)[0][0]}"


def _spread(count: int) -> list[int]:
    """Row numbers of at most `MAX_PHOTOS`, evenly over all."""
    if count <= MAX_PHOTOS:
        return list(range(count))
    return sorted({int(row) for row in np.linspace(0, count - 1, MAX_PHOTOS)})
