"""The only place that joins the stages: image -> faces -> crops -> embeddings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

import numpy as np

from mien.app.face_search import FoundFace, find_near_border, find_upright
from mien.errors import NoFaceFound, SeveralFacesFound
from mien.faces.align import UncroppableFace, crop_by_recipe
from mien.faces.detect import Cascade, CascadeSettings, Search
from mien.faces.embed import Embedder
from mien.faces.quality.advice import measure_quality
from mien.faces.quality.gate import Assessment, Gates, load_gates
from mien.faces.quality.measures import measure_face
from mien.faces.quality.words import describe_faults
from mien.faces.select import choose_door_face, door_rivals
from mien.matching.matcher import Matcher
from mien.media.frame import is_overexposed
from mien.media.halved_photo import DoorPhoto, HalvedPhoto
from mien.media.pixels import downscale, factor_to_fit
from mien.models import (
    ONET,
    PNET,
    RNET,
    BackgroundNet,
    ModelRow,
    Net,
    OptimisedStore,
    find_embedder,
    known_embedders,
    open_net,
    read_added_graph,
    read_graph,
)
from mien.records import dataclass, field, replace
from mien.results import ByteArray, Crop, Face, Faces, FloatArray, ModelId
from mien.settings import DEFAULT_MODEL, Settings

MAX_DOOR_PIXELS = 4_000_000
# of a face on a halved photo, in its pixels: twice what the crop of an embedder needs
HALVED_FACE_PX = 224


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The face of an attempt. face: pixels of the photo as it was read. vector: (d,), unit length.

    faults: what puts the photo outside the calibrated quality; empty for a good one.
    """

    face: Face
    vector: FloatArray = field(repr=False)
    faults: tuple[str, ...]


class Pipeline:
    """A detector, an embedder and a matcher; may be kept and called many times.

    matcher: for the embedder's vectors; None makes one. gates: what tells photos outside the
    calibrated quality; None for an embedder for which none was fitted. `search_turns` says whether
    quarter turns of a photo without a sure face are searched.
    """

    def __init__(
        self,
        cascade: Cascade,
        embedder: Embedder,
        matcher: Matcher | None = None,
        gates: Gates | None = None,
    ) -> None:
        self.cascade = cascade
        self.embedder = embedder
        self.matcher = matcher or Matcher(embedder.row)
        self.gates = gates
        self.search_turns = True

    @property
    def model(self) -> ModelId:
        """The embedder."""
        return self.embedder.model

    def faces(self, image_rgb: ByteArray, search: Search = "all") -> Faces:
        """Every face of (H, W, 3) uint8 RGB, highest score first."""
        return self.cascade.find(image_rgb, search)

    def door_face(self, image_rgb: ByteArray) -> Face:
        """The face to decide on; see `choose_door_face` for the rule and the errors."""
        faces = self._faces_near(image_rgb)
        if len(faces) == 0 and is_overexposed(image_rgb):
            raise NoFaceFound(
                "no face found; face the camera, in less light: the photo is over-exposed"
            )
        return choose_door_face(faces)

    def door_faces(self, image_rgb: ByteArray) -> Faces:
        """The faces among which `door_face` chooses, or cannot: see `door_rivals`."""
        return door_rivals(self._faces_near(image_rgb))

    def find_face(self, image_rgb: ByteArray, *, carefully: bool = False) -> FoundFace:
        """The same, on the photo or a quarter turn of it, and searched again near the border.

        carefully: for a photo that is enrolled or compared. See `find_upright` and
        `find_near_border`.
        """
        if self.search_turns:
            return find_upright(image_rgb, self.door_face, carefully=carefully)
        face = find_near_border(image_rgb, self.door_face(image_rgb), self.door_face)
        return FoundFace(image_rgb, face)

    def _faces_near(self, image_rgb: ByteArray) -> Faces:
        """Search `largest`, on a picture of at most `MAX_DOOR_PIXELS`.

        A larger picture is shrunk by a whole factor first. A person in front of the camera stays
        large enough, and the search would otherwise take a second and a gigabyte.
        """
        factor = factor_to_fit(image_rgb, MAX_DOOR_PIXELS)
        if factor == 1:
            return self.faces(image_rgb, "largest")
        found = self.faces(downscale(image_rgb, factor), "largest")
        # pixel i of the small picture covers the pixels factor * i and on: edges scale as they are
        return Faces(found.boxes_xyxy * factor, found.points_xy * factor, found.scores)

    def crop(self, image_rgb: ByteArray, face: Face) -> Crop:
        """Crop the face by the recipe of the embedder. NoFaceFound if it cannot be cropped."""
        try:
            return crop_by_recipe(image_rgb, face, self.embedder.row.recipe)
        except UncroppableFace as error:
            raise NoFaceFound(f"no usable face: {error}; face the camera") from error

    def crop_found(self, image_rgb: ByteArray) -> Crop:
        """The crop of the face that `find_face` finds, carefully. Raises as it and `crop` do."""
        found = self.find_face(image_rgb, carefully=True)
        return self.crop(found.image_rgb, found.face)

    def embed(self, crops: Sequence[Crop]) -> FloatArray:
        """(n, d) float32, unit rows."""
        return self.embedder.embed(crops)

    def embed_probe(self, photo: DoorPhoto) -> Probe:
        """The face at the door and its embedding. Raises as `door_face` and `crop` do.

        A halved photo is read whole where it shows no one face, where something is wrong with it,
        and where its face is smaller than `HALVED_FACE_PX`: then the pixels may matter.
        """
        if not isinstance(photo, HalvedPhoto):
            return self._embed_face_on(photo)
        try:
            probe = self._embed_face_on(photo.image_rgb)
        except (NoFaceFound, SeveralFacesFound):
            return self._embed_face_on(photo.read_whole())
        if probe.faults or probe.face.height_px < HALVED_FACE_PX:
            return self._embed_face_on(photo.read_whole())
        return replace(probe, face=probe.face.scaled(2))

    def _embed_face_on(self, image_rgb: ByteArray) -> Probe:
        return self.embed_found(self.find_face(image_rgb))

    def embed_found(self, found: FoundFace) -> Probe:
        """The embedding of a face that was found. Raises as `crop` does."""
        crop = self.crop(found.image_rgb, found.face)
        vectors, lengths = self.embedder.embed_with_lengths([crop])
        assessment = None
        if self.gates is not None:
            measures = measure_face(found.face, crop) | {"vector_length": float(lengths[0])}
            assessment = self.gates.probe.assess(measures)
        return Probe(found.face_as_read, vectors[0], _faults(found, crop, assessment))

    def embed_carefully(
        self, found: Sequence[FoundFace], crops: Sequence[Crop]
    ) -> tuple[FloatArray, list[tuple[str, ...]]]:
        """Embed photos that are enrolled or compared, and say what is wrong with each.

        (n, d) float32 unit rows, and the faults that put a photo outside the calibrated quality.
        Takes twice as long as `embed`: the mirror image of each crop is embedded too.
        """
        if self.gates is None:
            return self.embed(crops), [
                _faults(one, crop, None) for one, crop in zip(found, crops, strict=True)
            ]
        both, faults = self.embed_both_sides(found, crops)
        return both[:, 0], faults

    def embed_both_sides(
        self, found: Sequence[FoundFace], crops: Sequence[Crop]
    ) -> tuple[FloatArray, list[tuple[str, ...]]]:
        """As `embed_carefully`, with the mirror images: (n, 2, d) float32 unit rows, and faults."""
        vectors, lengths = self.embedder.embed_with_lengths(crops)
        mirrored = self.embed([Crop(crop.pixels[:, ::-1], crop.recipe) for crop in crops])
        cosines = np.sum(vectors * mirrored, axis=1)
        faults = []
        for row, (one, crop) in enumerate(zip(found, crops, strict=True)):
            assessment = None
            if self.gates is not None:
                measures = measure_face(one.face, crop)
                measures["vector_length"] = float(lengths[row])
                measures["mirror_cosine"] = float(cosines[row])
                assessment = self.gates.enrollment.assess(measures)
            faults.append(_faults(one, crop, assessment))
        return np.stack([vectors, mirrored], axis=1), faults


def _faults(found: FoundFace, crop: Crop, assessment: Assessment | None) -> tuple[str, ...]:
    return describe_faults(measure_quality(found.face, crop), found.overhang, assessment)


def open_cascade(settings: Settings, cascade: CascadeSettings | None = None) -> Cascade:
    """Load the three nets of the detector.

    P-Net runs on single threads, several levels at once; R-Net and O-Net
    run later, and use all threads for each call.
    """
    _prepare((PNET, RNET, ONET), settings)
    return _load_cascade(settings, cascade or CascadeSettings())


def _load_cascade(settings: Settings, cascade: CascadeSettings) -> Cascade:
    callers = settings.threads
    return Cascade(
        open_model(PNET, replace(settings, threads=1), callers=callers),
        open_model(RNET, settings),
        open_model(ONET, settings),
        cascade,
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
    _prepare((PNET, RNET, ONET, row.model), settings)
    # the embedder is the large one: it loads while the detector loads and finds the face
    net = BackgroundNet(lambda: open_model(row.model, settings))
    matcher = Matcher(row, calibration=settings.calibration, data_dir=settings.data_dir)
    embedding = Embedder(net, row, flip_average=flip_average)
    detector = _load_cascade(settings, CascadeSettings())
    return Pipeline(detector, embedding, matcher, load_gates(row.id))


def load_pipelines(
    settings: Settings, *, default: str = DEFAULT_MODEL
) -> Callable[[ModelId | None], Pipeline]:
    """A function that gives a model's pipeline; each is loaded once in each process, when first
    asked for.

    default: the model for None, and for a model that mien does not have.
    """
    # an engine's threads do not exist in a forked process, and its lock may be held for ever
    loaded: dict[tuple[int, str], Pipeline] = {}
    locks: dict[int, Lock] = {}

    def pipeline_of(model: ModelId | None) -> Pipeline:
        known = known_embedders(settings.data_dir)
        name = model.name if model is not None and model.name in known else default
        process = os.getpid()
        with locks.setdefault(process, Lock()):
            if (process, name) not in loaded:
                loaded[process, name] = open_pipeline(settings, name)
            return loaded[process, name]

    return pipeline_of


def optimised_store(settings: Settings) -> OptimisedStore:
    """Where graphs are kept that ONNX Runtime optimised for this machine."""
    return OptimisedStore(settings.models_dir, settings.cache_dir, settings.data_dir)


def _prepare(rows: Iterable[ModelRow], settings: Settings) -> None:
    """Have graphs optimised that were not yet, so that later starts take less."""
    if settings.engine == "onnxruntime":
        optimised_store(settings).prepare([row for row in rows if not row.is_added])


def open_model(row: ModelRow, settings: Settings, *, callers: int = 1) -> Net:
    """Load one network with its graph. Raises as `open_net`, `read_graph` and `read_added_graph`.

    callers: threads that may call it at the same time.
    """
    if row.is_added:
        graph = read_added_graph(row, settings.engine, settings.data_dir)
    else:
        if settings.engine == "onnxruntime":
            net = optimised_store(settings).open(row, threads=settings.threads)
            if net is not None:
                return net
        graph = read_graph(
            row, settings.engine, models_dir=settings.models_dir, cache_dir=settings.cache_dir
        )
    return open_net(graph, engine=settings.engine, threads=settings.threads, callers=callers)
