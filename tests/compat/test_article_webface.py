"""The article's photos with its net on CASIA-WebFace's weights, which anyone can download.

The article used VGGFace2's weights; `test_article_embedder.py` compares with its figures where
somebody has them. Here the figures are the same net's with the weights of the published
package, beside facenet-pytorch's own module with the same state dict.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.app.pipeline import Pipeline, open_pipeline
from mien.compat.face_unlock import FaceUnlock
from mien.faces.geometry import box_areas
from mien.lab.demo.run import run_demo
from mien.lab.explore.report import explore_folder
from mien.matching.calibration import load_calibration
from mien.media.image_file import read_image
from mien.results import FloatArray
from mien.settings import Settings

WEBFACE = "facenet-casia-webface"

# Euclidean distances of unit embeddings by facenet-pytorch 2.6.0's own InceptionResnetV1 with
# this state dict, on the crops of the article's eight photos, in the order of article.json
FACENET_PYTORCH_DISTANCES = [
    [0.0, 0.7699, 0.9152, 1.0949, 1.0268, 1.3170, 1.4221, 1.4211],
    [0.7699, 0.0, 0.8672, 1.1523, 1.0724, 1.3261, 1.4271, 1.3092],
    [0.9152, 0.8672, 0.0, 1.2343, 1.1579, 1.3321, 1.3886, 1.3279],
    [1.0949, 1.1523, 1.2343, 0.0, 0.4917, 1.4166, 1.4067, 1.4435],
    [1.0268, 1.0724, 1.1579, 0.4917, 0.0, 1.3508, 1.3920, 1.3745],
    [1.3170, 1.3261, 1.3321, 1.4166, 1.3508, 0.0, 0.5362, 0.6856],
    [1.4221, 1.4271, 1.3886, 1.4067, 1.3920, 0.5362, 0.0, 0.6368],
    [1.4211, 1.3092, 1.3279, 1.4435, 1.3745, 0.6856, 0.6368, 0.0],
]

# cosine to the template of the three enrolled photos; the article printed -0.128, 0.051, 0.283
# and 0.878 with VGGFace2's weights
PROBES = {
    "faces_test/202008-full.jpg": -0.111,
    "faces_test/400px-Elon_Musk_Royal_Society.jpg": 0.061,
    "faces_test/cropped-miguel-herran-rio-casa-de-papel-0919-1400x800.jpg": 0.291,
    "faces_test/me_test.jpg": 0.887,
}


@pytest.fixture(scope="module")
def article(shared_reference: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared_reference / "article.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def webface(real_webface: Settings) -> Pipeline:
    return open_pipeline(real_webface, WEBFACE)


@pytest.fixture(scope="module")
def embeddings(webface: Pipeline, article: dict[str, Any], shared_photos: Path) -> FloatArray:
    """(8, 512) of the largest face by area of each photo, as the article's MTCNN takes it."""
    crops = []
    for name in article["faces"]:
        image = read_image(shared_photos / "faces" / name)
        faces = webface.faces(image)
        crops.append(webface.crop(image, faces[int(np.argmax(box_areas(faces.boxes_xyxy)))]))
    return webface.embed(crops)


def test_distances_equal_those_of_facenet_pytorch(embeddings: FloatArray) -> None:
    distances = np.linalg.norm(embeddings[:, None] - embeddings[None], axis=2)
    np.testing.assert_allclose(distances, FACENET_PYTORCH_DISTANCES, atol=1e-2)


def test_every_genuine_pair_scores_higher_than_every_impostor_pair(
    embeddings: FloatArray, article: dict[str, Any]
) -> None:
    """With VGGFace2's weights they are not: two people reach 0.63, DiCaprio alone 0.55."""
    person = np.array([name.split("/")[0] for name in article["faces"]])
    same = person[:, None] == person[None]
    similarities = embeddings @ embeddings.T
    assert similarities[same].min() > similarities[~same].max() + 0.1
    printed = np.array(article["similarity_matrix"])
    assert printed[same].min() < printed[~same].max()


def test_the_four_probes_are_decided_right_at_the_calibrated_threshold(
    webface: Pipeline, article: dict[str, Any], shared_photos: Path
) -> None:
    mine = [shared_photos / "faces" / n for n in article["faces"] if n.startswith("me/")]
    unlock = FaceUnlock(mine, WEBFACE, pipeline=webface)
    calibration = load_calibration(webface.embedder.row)
    assert calibration is not None
    assert unlock.threshold == calibration.threshold(1e-4, photos=3)
    for name, (_, is_me) in article["probes"].items():
        decision = unlock(shared_photos / name)
        assert decision.similarity == pytest.approx(PROBES[name], abs=0.005), name
        assert bool(decision) is is_me, name


def test_the_demo_decides_the_four_probes_right(
    webface: Pipeline, shared_photos: Path, tmp_path: Path
) -> None:
    result = run_demo(shared_photos, tmp_path, webface)
    assert (result.owner, result.faces, result.left_out) == ("me", 8, ())
    assert [probe.name for probe in result.probes if probe.decision] == ["me_test.jpg"]
    assert len(result.probes) == 4


def test_the_heat_map_and_the_map_of_embeddings_are_drawn(
    webface: Pipeline, shared_photos: Path, tmp_path: Path
) -> None:
    analysed, report = explore_folder(shared_photos / "faces", tmp_path, webface)
    assert len(analysed.crops) == 8
    assert {"similarity.png", "map.png", "faces.png"} <= {p.name for p in tmp_path.iterdir()}
    assert report.is_file()


def test_the_chooser_shows_the_decision_of_each_probe(
    webface: Pipeline, shared_photos: Path
) -> None:
    pytest.importorskip("ipywidgets", reason="needs ipywidgets: pip install '.[notebook]'")
    from mien.lab.demo.chooser import try_photo

    mine = sorted((shared_photos / "faces" / "me").iterdir())
    unlock = FaceUnlock(mine, WEBFACE, pipeline=webface)
    decided = {
        path.name: bool(try_photo(path, unlock)[1])
        for path in sorted((shared_photos / "faces_test").iterdir())
    }
    assert [name for name, accepted in decided.items() if accepted] == ["me_test.jpg"]
