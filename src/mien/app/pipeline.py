"""The only place that joins the stages: image -> faces -> crops -> embeddings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import NoFaceFound, NotEnoughEvidence, SeveralFacesFound
from mien.faces.align import crop_by_recipe
from mien.faces.detect import Cascade, CascadeSettings, Search
from mien.faces.embed import Embedder
from mien.media.pixels import downscale
from mien.models import (
    ONET,
    PNET,
    RNET,
    BackgroundNet,
    ModelRow,
    Net,
    find_embedder,
    open_net,
    read_added_graph,
    read_graph,
)
from mien.results import ByteArray, Crop, Face, Faces, FloatArray, ModelId, Template, Threshold
from mien.settings import DEFAULT_MODEL, Settings

if TYPE_CHECKING:
    from mien.matching.calibration import Calibration

MIN_DOOR_FACE_PX = 40  # below this the crop is enlarged almost threefold, and similarity is noise
MAX_DOOR_PIXELS = 4_000_000
DECOY_PHOTOS = 3  # what people are advised to enroll
RIVAL_SHARE = 0.5  # a second face this high, against the largest, may be the one that is meant


class Pipeline:
    """A detector and an embedder, loaded; safe to keep and call many times."""

    def __init__(self, cascade: Cascade, embedder: Embedder) -> None:
        self.cascade = cascade
        self.embedder = embedder

    @property
    def model(self) -> ModelId:
        """Who makes the embeddings."""
        return self.embedder.model

    @property
    def threshold(self) -> Threshold:
        """The embedder's own threshold."""
        return self.embedder.row.threshold

    def threshold_for(self, *, photos: int, target_fmr: float | None = None) -> Threshold:
        """The threshold for a template of so many photos.

        target_fmr: share of strangers that may pass, 0..1; None is `TARGET_FMR`.
        Without a calibration it is the embedder's own. Raises NotEnoughEvidence for a
        target that the evidence does not reach, or when there is none.
        """
        if self._calibration is None:
            if target_fmr is None:
                return self.threshold
            raise NotEnoughEvidence(
                f"{self.model.name} was never calibrated, so no FMR can be promised; "
                "choose another model, or a threshold of your own"
            )
        if target_fmr is None:  # a user's own calibration may have less evidence than the target
            return self._calibration.threshold_among(1, photos=photos)
        return self._calibration.threshold(target_fmr, photos=photos)

    def threshold_among(self, enrolled: int, *, photos: int) -> Threshold:
        """The threshold where a face is compared with so many people; see `Calibration`.

        Without a calibration it is the embedder's own.
        """
        if self._calibration is None:
            return self.threshold
        return self._calibration.threshold_among(enrolled, photos=photos)

    def shift(self, one: FloatArray, other: FloatArray) -> float:
        """How much higher than usual a stranger scores between two plain unit vectors (d,).

        The threshold is to be moved by it, and the odds read below it; 0 without a cohort.
        """
        cohort = None if self._calibration is None else self._calibration.cohort
        return 0.0 if cohort is None else cohort.shift(one, other)

    def shifts(self, vectors: FloatArray) -> FloatArray:
        """What each face adds to the `shift` of two: plain unit rows (n, d) -> (n,) float32."""
        cohort = None if self._calibration is None else self._calibration.cohort
        return np.zeros(len(vectors), np.float32) if cohort is None else cohort.shifts(vectors)

    def closest_stranger(self, vector: FloatArray) -> tuple[float, float] | None:
        """The member of the cohort most like a plain unit vector (d,): similarity and `shift`."""
        cohort = None if self._calibration is None else self._calibration.cohort
        return None if cohort is None else cohort.closest(vector)

    def decoy(self, seed: bytes) -> Template:
        """A stranger's template for a name that nobody has, ever the same for 32 secret bytes.

        From the cohort, so that it is as like a probe as a real stranger's is; without one,
        of a direction by chance.
        """
        cohort = None if self._calibration is None else self._calibration.cohort
        if cohort is not None:
            row = int.from_bytes(seed, "big") % len(cohort.vectors)
            vector = cohort.vectors[row]
        else:
            stream = hashlib.shake_256(seed).digest(4 * self.embedder.row.dims)
            vector = np.frombuffer(stream, "<u4").astype(np.float32) - np.float32(2**31)
            vector = vector / np.linalg.norm(vector)
        return Template(np.repeat(vector[np.newaxis], DECOY_PHOTOS, axis=0), self.model)

    def odds(self, similarity: float, *, photos: int, among: int = 1) -> str:
        """How often a stranger would score this high, in words; empty without evidence.

        similarity: less the `shift` of the two faces. among: templates compared with.
        """
        if self._calibration is None or not math.isfinite(similarity):
            return ""
        return str(self._calibration.read(similarity, photos=photos, among=among))

    def expectation(self, *, photos: int) -> str:
        """How often the owner is refused at the default threshold, in words; or empty."""
        trials = None if self._calibration is None else self._calibration.owner_trials(photos)
        return "" if trials is None else str(trials)

    @cached_property
    def _calibration(self) -> Calibration | None:
        from mien.matching.calibration import load_calibration

        return load_calibration(self.embedder.row)

    def faces(self, image_rgb: ByteArray, search: Search = "all") -> Faces:
        """Every face of (H, W, 3) uint8 RGB, surest first."""
        return self.cascade.find(image_rgb, search)

    def door_face(self, image_rgb: ByteArray) -> Face:
        """The one face that stands at the door.

        Raises NoFaceFound if there is none of `MIN_DOOR_FACE_PX`, and
        SeveralFacesFound if another is at least half as high as the largest: then
        nobody can say whose face is meant.
        """
        faces = self._faces_near(image_rgb)
        if len(faces) == 0:
            raise NoFaceFound("no face found; face the camera, in more light or closer")
        heights = faces.boxes_xyxy[:, 3] - faces.boxes_xyxy[:, 1]
        nearest = int(np.argmax(heights))
        if heights[nearest] < MIN_DOOR_FACE_PX:
            raise NoFaceFound(
                f"the largest face is {heights[nearest]:.0f} px high, {MIN_DOOR_FACE_PX} are "
                "needed; move closer"
            )
        rivals = int(np.sum(heights >= heights[nearest] * RIVAL_SHARE))
        if rivals > 1:
            raise SeveralFacesFound(f"{rivals} faces of similar size; only one person at a time")
        return faces[nearest]

    def _faces_near(self, image_rgb: ByteArray) -> Faces:
        """Search `largest`, on a picture of at most `MAX_DOOR_PIXELS`.

        A larger one is averaged down by a whole factor first: whoever stands at
        the door fills enough of it, and the search would cost a second and a gigabyte.
        """
        factor = math.ceil(math.sqrt(image_rgb.shape[0] * image_rgb.shape[1] / MAX_DOOR_PIXELS))
        if factor <= 1:
            return self.faces(image_rgb, "largest")
        found = self.faces(downscale(image_rgb, factor), "largest")
        # pixel i of the small picture covers the pixels factor * i and on: edges scale as they are
        return Faces(found.boxes_xyxy * factor, found.points_xy * factor, found.scores)

    def crop(self, image_rgb: ByteArray, face: Face) -> Crop:
        """Cut the face the way the embedder wants it."""
        return crop_by_recipe(image_rgb, face, self.embedder.row.recipe)

    def embed(self, crops: Sequence[Crop]) -> FloatArray:
        """(n, d) float32, unit rows."""
        return self.embedder.embed(crops)

    def embed_door(self, image_rgb: ByteArray) -> tuple[Face, FloatArray]:
        """The face at the door and its unit embedding (d,). Raises as `door_face` does."""
        face = self.door_face(image_rgb)
        return face, self.embed([self.crop(image_rgb, face)])[0]


def open_cascade(settings: Settings, cascade: CascadeSettings | None = None) -> Cascade:
    """Load the three nets of the detector.

    P-Net runs on single threads, several levels at once; R-Net and O-Net, which
    come after, take all the threads for each call.
    """
    callers = settings.threads
    return Cascade(
        _open(PNET, replace(settings, threads=1), callers=callers),
        _open(RNET, settings),
        _open(ONET, settings),
        cascade or CascadeSettings(),
        pnet_callers=callers,
    )


def open_pipeline(
    settings: Settings, embedder: str = DEFAULT_MODEL, *, flip_average: bool = False
) -> Pipeline:
    """Load detector and embedder. UsageError for an embedder that is not in the table.

    flip_average: as for `Embedder`.
    ModelMissing, before anything is loaded, for one that was not added yet.
    """
    row = find_embedder(embedder, settings.data_dir)
    # the embedder is the large one: it loads while the detector loads and finds the face
    net = BackgroundNet(lambda: _open(row.model, settings))
    return Pipeline(open_cascade(settings), Embedder(net, row, flip_average=flip_average))


def _open(row: ModelRow, settings: Settings, *, callers: int = 1) -> Net:
    if row.is_added:
        graph = read_added_graph(row, settings.engine, settings.data_dir)
    else:
        graph = read_graph(
            row, settings.engine, models_dir=settings.models_dir, cache_dir=settings.cache_dir
        )
    return open_net(graph, engine=settings.engine, threads=settings.threads, callers=callers)
