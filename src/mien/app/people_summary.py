"""What can be said of the enrolled people and their photos without loading a model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mien.app.enrollment import Enrollment
from mien.app.match_word import match_word
from mien.app.neighbours import Neighbours, neighbours_in
from mien.app.template_quality import Word
from mien.errors import NotEnrolled, UsageError, quote
from mien.matching.matcher import Matcher
from mien.models import find_embedder, known_embedders
from mien.results import ModelId, Template
from mien.settings import Settings
from mien.vault import Record, check_user_name, pack_template, unpack_template
from mien.vault.records.kept_faces import without_kept
from mien.vault.rotated_space import SpaceOf
from mien.vault.vault import Vault

EVERYBODY = 10**9


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """One enrolled person. enrolled, last_unlock: as `utc_stamp` writes them; "" for never.

    photos, quality: None for a template of a model that mien does not have.
    """

    user: str
    model: str
    enrolled: str
    photos: int | None
    quality: Word | None
    last_unlock: str


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo of a template. agrees, similarity: with the others; None for a single photo."""

    number: int
    agrees: Word | None
    similarity: float | None


def summarise_people(vault: Vault, settings: Settings) -> list[PersonSummary]:
    """Everybody, by name in code point order. Raises VaultDamaged."""
    records, _ = vault.people_page(after="", limit=EVERYBODY)
    compared: dict[ModelId, Neighbours | None] = {}
    people = []
    for record in records.values():
        if record.model not in compared:
            matcher = _matcher_of(record.model, settings)
            compared[record.model] = (
                None if matcher is None else neighbours_in(vault, matcher, records)[0]
            )
        known = compared[record.model]
        photos, quality = None, None
        if known is not None:
            template = unpack_template(record.payload, expected_model=record.model)
            alone = Enrollment(template, (), ())
            photos = len(template.vectors)
            quality = known.add_warnings(alone, user=record.user).word
        last = record.unlocks[-1].at if record.unlocks else ""
        people.append(
            PersonSummary(record.user, record.model.name, record.created_at, photos, quality, last)
        )
    return people


def list_photos_of(user: str, vault: Vault, settings: Settings) -> list[StoredPhoto]:
    """The photos of a template, numbered from 1. Raises NotEnrolled, and UsageError for a model
    that mien does not have."""
    name = check_user_name(user)
    found = vault.look_up(name)
    if found is None or found.record is None:
        raise _not_enrolled(name)
    matcher = _matcher_of(found.record.model, settings)
    if matcher is None:
        raise UsageError(
            f"{quote(name)} was enrolled with {found.record.model.name}, which mien does not have;"
            f" run: mien models add {found.record.model.name}"
        )
    template = unpack_template(found.record.payload, expected_model=matcher.model)
    plain = found.space_of(matcher.model).reveal(template.vectors)
    similarities = matcher.check_consistency(plain).leave_one_out
    threshold = matcher.threshold_for(photos=max(1, len(plain) - 1)).value
    if not similarities:
        return [StoredPhoto(1, None, None)]
    return [
        StoredPhoto(number, match_word(one - threshold), one)
        for number, one in enumerate(similarities, 1)
    ]


def remove_photo(user: str, number: int, vault: Vault) -> int:
    """Remove one photo, counted from 1, and log it. Returns how many are left.

    Raises NotEnrolled, and UsageError for a number that there is not, and for the last photo.
    """
    name = check_user_name(user)
    if not vault.holds(name):
        raise _not_enrolled(name)
    left: list[int] = []

    def make(stored: Record | None, space_of: SpaceOf) -> Record:
        if stored is None:
            raise _not_enrolled(name)
        template = unpack_template(stored.payload, expected_model=stored.model)
        count = len(template.vectors)
        if not 1 <= number <= count:
            raise UsageError(
                f"{quote(name)} has the photos 1 to {count}, not {number}; mien photos shows them"
            )
        if count == 1:
            raise UsageError(
                f"this is the only photo of {quote(name)}; to delete the template: mien forget"
            )
        rows = [row for row in range(count) if row != number - 1]
        left.append(len(rows))
        kept = pack_template(Template(template.vectors[rows], stored.model))
        # what was learned was compared with all of the photos
        return replace(without_kept(stored, "learned"), payload=kept)

    vault.update(name, make, logged="photo_removed")
    return left[-1]


def _matcher_of(model: ModelId, settings: Settings) -> Matcher | None:
    """For templates of this very model; None if mien does not have it."""
    if model.name not in known_embedders(settings.data_dir):
        return None
    row = find_embedder(model.name, settings.data_dir)
    if row.id != model:
        return None
    return Matcher(row, calibration=settings.calibration, data_dir=settings.data_dir)


def _not_enrolled(name: str) -> NotEnrolled:
    return NotEnrolled(f"{quote(name)} is not enrolled; mien list shows who is")
