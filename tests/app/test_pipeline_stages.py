"""Each stage of a pipeline on hand-made stages beside it: sizes, coordinates and errors."""

from __future__ import annotations

import numpy as np
import pytest

import mien.app.pipeline
from mien.app.pipeline import MAX_DOOR_PIXELS, Pipeline, load_pipelines
from mien.errors import NoFaceFound
from mien.models import EMBEDDERS
from mien.results import ByteArray, Face, Faces, FloatArray, ModelId
from mien.settings import Settings

POINTS = np.array([[130, 150], [170, 150], [150, 175], [135, 195], [165, 195]], np.float32)
BOX = np.array([100, 110, 200, 220], np.float32)


class OneFace:
    """A detector that notes the pictures it gets and finds one face in each."""

    def __init__(self) -> None:
        self.searched: list[tuple[tuple[int, ...], str]] = []

    def find(self, image_rgb: ByteArray, search: str) -> Faces:
        self.searched.append((image_rgb.shape, search))
        return Faces(BOX[np.newaxis].copy(), POINTS[np.newaxis].copy(), np.ones(1, np.float32))


class OneVector:
    """An embedder that gives every crop the first axis; 12 long, as a good face's."""

    row = EMBEDDERS["sface"]
    model = row.id

    def embed_with_lengths(self, crops: list) -> tuple[FloatArray, FloatArray]:
        vectors = np.zeros((len(crops), 128), np.float32)
        vectors[:, 0] = 1
        return vectors, np.full(len(crops), 12, np.float32)

    def embed(self, crops: list) -> FloatArray:
        return self.embed_with_lengths(crops)[0]


@pytest.fixture
def detector() -> OneFace:
    return OneFace()


@pytest.fixture
def hand_made(detector: OneFace) -> Pipeline:
    return Pipeline(detector, OneVector())


@pytest.mark.parametrize(
    ("height", "width", "factor"),
    [(2000, 2000, 1), (2000, 2001, 2), (4000, 4000, 2), (4000, 4001, 3), (1000, 4001, 2)],
)
def test_a_picture_over_four_megapixels_is_searched_shrunk_by_a_whole_factor(
    detector: OneFace, hand_made: Pipeline, height: int, width: int, factor: int
) -> None:
    assert MAX_DOOR_PIXELS == 4_000_000
    face = hand_made.door_face(np.zeros((height, width, 3), np.uint8))
    (((searched_height, searched_width, _), search),) = detector.searched
    assert (searched_height, searched_width) == (-(-height // factor), -(-width // factor))
    assert search == "largest"
    assert face.box_xyxy.tolist() == (BOX * factor).tolist()  # in pixels of the picture itself
    assert face.points_xy.tolist() == (POINTS * factor).tolist()


def test_every_face_is_searched_unless_another_search_is_asked_for(
    detector: OneFace, hand_made: Pipeline
) -> None:
    photo = np.zeros((300, 300, 3), np.uint8)
    hand_made.faces(photo)
    hand_made.faces(photo, "largest")
    assert [search for _, search in detector.searched] == ["all", "largest"]


def test_a_face_whose_points_fall_together_is_no_usable_face(hand_made: Pipeline) -> None:
    face = Face(BOX, np.full((5, 2), 150, np.float32), 0.99)
    with pytest.raises(NoFaceFound, match=r"^no usable face: .*; face the camera$"):
        hand_made.crop(np.zeros((300, 300, 3), np.uint8), face)


def test_the_crop_of_the_face_that_is_found_has_the_size_of_the_recipe(hand_made: Pipeline) -> None:
    crop = hand_made.crop_found(np.full((400, 400, 3), 128, np.uint8))
    assert crop.pixels.shape == (112, 112, 3)


def test_without_gates_a_probe_is_embedded_and_not_assessed(hand_made: Pipeline) -> None:
    grey = np.random.default_rng(0).integers(90, 160, (300, 300, 3)).astype(np.uint8)
    probe = hand_made.embed_probe(grey)
    assert probe.vector[0] == 1
    assert probe.face.box_xyxy.tolist() == BOX.tolist()
    assert [words for words in probe.faults if "quality" in words] == []
    found = hand_made.find_face(grey)
    vectors, faults = hand_made.embed_carefully([found], [hand_made.crop(grey, found.face)])
    assert vectors.shape == (1, 128)
    assert len(faults) == 1


def test_a_pipeline_is_loaded_once_for_each_model(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def note(settings: Settings, name: str) -> str:
        opened.append(name)
        return f"pipeline of {name}"

    monkeypatch.setattr(mien.app.pipeline, "open_pipeline", note)
    monkeypatch.setattr(mien.app.pipeline, "known_embedders", lambda data_dir: {"sface", "own"})
    pipeline_of = load_pipelines(settings, default="sface")
    assert pipeline_of(ModelId("own", "ab" * 32)) == "pipeline of own"
    assert pipeline_of(None) == "pipeline of sface"
    assert pipeline_of(ModelId("forgotten", "cd" * 32)) == "pipeline of sface"
    assert pipeline_of(ModelId("own", "ab" * 32)) == "pipeline of own"
    assert opened == ["own", "sface"]
