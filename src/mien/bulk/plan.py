"""What a run embeds: `run.json`, and plans that are written once and never edited.

run.json                        the model and how photos are looked at; the wrapped key
plan-0000.json                  which photos each shard holds; photos that came later are in
plan-0001.json                  later plans
shard-0000-00012.parquet.sealed  the records of a shard, once they are complete
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mien import __version__
from mien.bulk.shard_file import MAX_ROWS
from mien.bulk.shard_seal import Sealer
from mien.bulk.storage import Folder
from mien.errors import UsageError, VaultDamaged, quote
from mien.models import DETECTOR_ROWS, EmbedderRow
from mien.settings import Settings

FORMAT = 1
RUN_NAME = "run.json"
PLAN_NAME = re.compile(r"plan-(\d{4,6})\.json")
MAX_PLAN_PHOTOS = 100_000  # one file of 5 MB or so is read at a time
MAX_SHARD_PHOTOS, MIN_SHARD_PHOTOS = MAX_ROWS, 16
SHARDS_PER_WORKER = 4  # at least, of a small run, so that none waits at the end


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What all shards of a run have in common, and what each says in its metadata.

    detector: the hashes of its nets. carefully: the photos were looked at as for enrollment.
    header: of the sealed key, hexadecimal; empty for plain shards.
    """

    model: str
    model_sha256: str
    dims: int
    recipe: str
    detector: tuple[str, ...]
    calibration: str
    carefully: bool
    header: str = ""
    version: str = __version__
    format: int = FORMAT

    @property
    def is_sealed(self) -> bool:
        return bool(self.header)

    def metadata(self) -> dict[str, Any]:
        """For the shards."""
        return {name: value for name, value in asdict(self).items() if name != "header"}

    def differences(self, other: RunInfo) -> list[str]:
        """In words, what a shard of the one may not share with the other."""
        mine, theirs = asdict(self), asdict(other)
        names = ("model", "model_sha256", "dims", "recipe", "detector", "carefully")
        found = [name.replace("_", " ") for name in names if mine[name] != theirs[name]]
        return found + ["sealed or plain"] * (self.is_sealed != other.is_sealed)


def new_run(
    row: EmbedderRow, settings: Settings, *, carefully: bool, header: bytes = b""
) -> RunInfo:
    """The description of a run that begins."""
    detector = tuple(net.sha256 for net in DETECTOR_ROWS)
    return RunInfo(
        row.model.name,
        row.model.sha256,
        row.dims,
        row.recipe,
        detector,
        settings.calibration,
        carefully,
        header.hex(),
    )


def read_run(folder: Folder) -> RunInfo | None:
    """What a folder's run is; None where there is none. VaultDamaged for a file that is not one."""
    if RUN_NAME not in folder.names():
        return None
    try:
        table = json.loads(folder.read(RUN_NAME))
        found = RunInfo(**{**table, "detector": tuple(table["detector"])})
        _check_types(found)
        bytes.fromhex(found.header)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _not_a_plan(RUN_NAME, folder) from error
    if found.format != FORMAT:
        raise UsageError(f"{quote(folder.place)} was made by another mien; use that version")
    return found


def _check_types(run: RunInfo) -> None:
    texts = (run.model, run.model_sha256, run.recipe, run.calibration, run.header, run.version)
    if not all(isinstance(one, str) for one in (*texts, *run.detector)):
        raise TypeError("a text is none")
    if type(run.dims) is not int or type(run.carefully) is not bool:
        raise TypeError("dims or carefully is of another type")


def write_run(folder: Folder, run: RunInfo) -> None:
    """Store what the run is, before anything of it."""
    folder.write(RUN_NAME, json.dumps(asdict(run), indent=1).encode())


@dataclass(frozen=True, slots=True)
class Shard:
    """name: of its file. photos: their names in the source."""

    name: str
    photos: tuple[str, ...]


def shard_size(photos: int, workers: int) -> int:
    """How many photos a shard gets: fewer in a small run, so that all workers have work."""
    share = -(-photos // (SHARDS_PER_WORKER * workers))
    return min(MAX_SHARD_PHOTOS, max(MIN_SHARD_PHOTOS, share))


def write_plans(folder: Folder, photos: Sequence[str], *, size: int, sealer: Sealer | None) -> None:
    """Plan these photos, in new files after those that are there. size: of a shard."""
    first = 1 + max(plan_numbers(folder), default=-1)
    suffix = ".parquet" if sealer is None else ".parquet.sealed"
    per_plan = max(1, MAX_PLAN_PHOTOS // size) * size
    for number, at in enumerate(range(0, len(photos), per_plan), start=first):
        part = photos[at : at + per_plan]
        shards = {
            f"shard-{number:04}-{start // size:05}{suffix}": part[start : start + size]
            for start in range(0, len(part), size)
        }
        name = f"plan-{number:04}.json"
        content = json.dumps({"format": FORMAT, "shards": shards}).encode()
        if sealer is not None:
            sealed = base64.b64encode(sealer.seal(content, name)).decode()
            content = json.dumps({"format": FORMAT, "sealed": sealed}).encode()
        folder.write(name, content)


def plan_numbers(folder: Folder) -> list[int]:
    """Of the plans that are there, in order."""
    found = (PLAN_NAME.fullmatch(name) for name in folder.names())
    return sorted(int(match[1]) for match in found if match)


def read_plan(folder: Folder, number: int, sealer: Sealer | None) -> Iterator[Shard]:
    """The shards of one plan. VaultDamaged for a file that is none or was altered."""
    name = f"plan-{number:04}.json"
    try:
        table = json.loads(folder.read(name))
        if sealer is not None:
            table = json.loads(sealer.open(base64.b64decode(table["sealed"]), name))
        lists = all(isinstance(photos, list) for photos in table["shards"].values())
        if table["format"] != FORMAT or not lists:
            raise ValueError("another format")
        shards = [Shard(shard, tuple(photos)) for shard, photos in table["shards"].items()]
        _check_shards(shards, number, is_sealed=sealer is not None)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _not_a_plan(name, folder) from error
    yield from shards


def _check_shards(shards: Sequence[Shard], number: int, *, is_sealed: bool) -> None:
    """ValueError for shards that `write_plans` does not plan: others may have written the file."""
    suffix = r"\.parquet\.sealed" if is_sealed else r"\.parquet"
    name = re.compile(rf"shard-{number:04}-\d{{5}}{suffix}")
    seen: set[str] = set()
    for shard in shards:
        seen.update(shard.photos)
        if not name.fullmatch(shard.name) or not 0 < len(shard.photos) <= MAX_SHARD_PHOTOS:
            raise ValueError("a shard of another name or size")
        if not all(isinstance(photo, str) and _is_below_source(photo) for photo in shard.photos):
            raise ValueError("a photo outside of the source")
    if len(seen) != sum(len(shard.photos) for shard in shards):
        raise ValueError("a photo that is planned twice")


def _is_below_source(photo: str) -> bool:
    """Whoever can write the plan of unsealed shards has no other file of the user read."""
    return bool(photo) and not photo.startswith("/") and not {".", ".."} & set(photo.split("/"))


def _not_a_plan(name: str, folder: Folder) -> VaultDamaged:
    return VaultDamaged(
        f"{name} in {quote(folder.place)} was altered or cut short; begin again in a new folder"
    )
