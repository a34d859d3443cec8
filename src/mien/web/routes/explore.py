"""Faces of photos, how alike each two are, and a map of them: all in memory, nothing kept."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np

from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage, UsageError
from mien.lab.explore import pca, similarity_matrix
from mien.media.image_file import read_image
from mien.results import ByteArray

MAX_PHOTOS = 60


def explored(photos: Sequence[tuple[str, bytes]], pipeline: Pipeline) -> dict[str, object]:
    """photos: (name, the file). UsageError for none, or for more than `MAX_PHOTOS`."""
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise UsageError(f"give 1 to {MAX_PHOTOS} photos at a time")
    faces: list[dict[str, object]] = []
    left_out: list[dict[str, str]] = []
    crops = []
    for name, content in photos:
        try:
            image = read_image(content)
            crops.append(pipeline.crop(image, pipeline.door_face(image)))
            faces.append({"name": name, "picture": _data_url(crops[-1].pixels)})
        except (NoFaceFound, SeveralFacesFound, UnreadableImage) as error:
            left_out.append({"name": name, "why": str(error)})
    vectors = pipeline.embed(crops)
    points = pca(vectors).coordinates if len(crops) > 2 else np.zeros((len(crops), 2), np.float32)
    matrix = similarity_matrix(vectors) if len(crops) else np.zeros((0, 0), np.float32)
    return {
        "outcome": "explored",
        "exit_code": 0,
        "faces": faces,
        "similarity": [[round(float(value), 3) for value in row] for row in matrix],
        "points": [[round(float(value), 4) for value in row] for row in points],
        "left_out": left_out,
    }


def _data_url(pixels: ByteArray) -> str:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
