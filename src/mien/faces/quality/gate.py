"""Decide whether the error rates that were measured on clean photos hold for a photo.

Photos that are spoilt in the same way resemble each other, whoever they show. A logistic score,
fitted by `mien.lab.quality` for one embedder, tells such photos from clean ones. The gate only
refuses: it never changes a similarity or a threshold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mien.errors import ModelAltered
from mien.files import read_regular
from mien.records import dataclass, field
from mien.results import ModelId

DoubleArray: TypeAlias = npt.NDArray[np.float64]

SHIPPED = Path(__file__).parent
MAX_TABLE_BYTES = 1 << 16
MAX_TAIL = 4.0  # a measure further from the usual counts as no further
OF_MODELS = ("detector_score", "vector_length", "mirror_cosine")  # they do not say what is wrong
TELLING_SHARE = 0.2  # of the limit


@dataclass(frozen=True, slots=True)
class Assessment:
    """Whether a photo's quality is as calibrated, and which measure speaks most against it.

    score: logit; above `limit` the photo is outside the calibrated quality. main_measure: such
    as "fine_detail-", too low, or "noise_ratio+", too high; empty where nothing is unusual.
    """

    score: float
    limit: float
    main_measure: str

    @property
    def is_calibrated(self) -> bool:
        return self.score <= self.limit  # False for NaN


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """The fitted score of one embedder. All arrays (m,) float64, in the order of `measures`.

    A measure counts by how far it lies below `low` in units of `low_scale`, and above `high`.
    """

    measures: tuple[str, ...]
    low: DoubleArray = field(repr=False)
    low_scale: DoubleArray = field(repr=False)
    low_weight: DoubleArray = field(repr=False)
    high: DoubleArray = field(repr=False)
    high_scale: DoubleArray = field(repr=False)
    high_weight: DoubleArray = field(repr=False)
    limit: float

    def assess(self, found: Mapping[str, float]) -> Assessment:
        """Assess one photo by its measures. KeyError if one of `measures` is missing."""
        values = np.array([found[name] for name in self.measures], np.float64)
        below = np.clip((self.low - values) / self.low_scale, 0, MAX_TAIL) * self.low_weight
        above = np.clip((values - self.high) / self.high_scale, 0, MAX_TAIL) * self.high_weight
        return Assessment(float(below.sum() + above.sum()), self.limit, self._main(below, above))

    def _main(self, below: DoubleArray, above: DoubleArray) -> str:
        """The measure with the largest part, one of the picture if its part is a large one."""
        names = [name + sign for sign in "-+" for name in self.measures]
        parts = dict(zip(names, np.concatenate([below, above]).tolist(), strict=True))
        of_picture = {name: part for name, part in parts.items() if name[:-1] not in OF_MODELS}
        main = max(of_picture, key=of_picture.__getitem__)
        if of_picture[main] < TELLING_SHARE * self.limit:
            main = max(parts, key=parts.__getitem__)
        return main if parts[main] > 0 else ""

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Gate:
        """Read what `mien.lab.quality` wrote. KeyError, TypeError or ValueError for others."""
        rows = {
            str(name): [float(number) for number in row] for name, row in table["measures"].items()
        }
        columns = np.array(list(rows.values()), np.float64)  # (m, 6)
        if columns.ndim != 2 or columns.shape[1] != 6 or not np.isfinite(columns).all():
            raise ValueError("a measure of the gate is not six finite numbers")
        limit = float(table["limit"])
        if np.any(columns[:, [1, 4]] <= 0) or np.any(columns[:, [2, 5]] < 0) or not limit > 0:
            raise ValueError("a scale, a weight or the limit of the gate is negative")
        low, low_scale, low_weight, high, high_scale, high_weight = columns.T
        return cls(tuple(rows), low, low_scale, low_weight, high, high_scale, high_weight, limit)


@dataclass(frozen=True, slots=True, eq=False)
class Gates:
    """The gates of one embedder. provenance: the data that they were fitted to.

    enrollment: for photos that are enrolled or compared, with the cosine of the mirror image.
    probe: for the photo of an attempt, without it.
    """

    provenance: str
    enrollment: Gate
    probe: Gate


def load_gates(model: ModelId) -> Gates | None:
    """The gates that come with mien for this embedder, or None: then nothing is refused by them.

    ModelAltered if the file is not such a table, or was fitted to other weights.
    """
    path = SHIPPED / f"{model.name}.json"
    return _read(path, model) if path.is_file() else None


@lru_cache(maxsize=4)
def _read(path: Path, model: ModelId) -> Gates:
    try:
        table: dict[str, Any] = json.loads(read_regular(path, MAX_TABLE_BYTES))
        if table["weights_sha256"] != model.sha256:
            raise ValueError("it was fitted to other weights")
        enrollment, probe = (Gate.from_json(table[name]) for name in ("enrollment", "probe"))
        return Gates(str(table["provenance"]), enrollment, probe)
    except (AttributeError, KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        raise ModelAltered(
            f"the quality gate of {model.name} is unusable: {error}; reinstall mien"
        ) from error
