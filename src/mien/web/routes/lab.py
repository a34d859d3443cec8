"""The faces in photos, how similar each two are, and a map of them: in memory, nothing stored."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, File, UploadFile
from PIL import Image

from mien.app.pipeline import Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound, UnreadableImage, UsageError
from mien.lab.explore.similarity import pca, similarity_matrix
from mien.media.image_file import read_image
from mien.results import ByteArray, Crop, FloatArray
from mien.web import schemas
from mien.web.budget import within_budget
from mien.web.dependencies import Parts, Pool, TokenScope
from mien.web.openapi import POST_ERRORS, describe_responses
from mien.web.responses import OutcomeResponse

MAX_PHOTOS = 60
MAX_LABEL = 80  # characters of a file's name that the page shows

router = APIRouter(tags=["lab"])


@router.post("/v1/explore", responses=describe_responses(schemas.Exploration, *POST_ERRORS))
async def explore(
    photos: Annotated[list[UploadFile], File()], parts: Parts, pool: Pool, token_scope: TokenScope
) -> OutcomeResponse:
    """Show the faces of photos, their similarities, and a map of them. Nothing is stored."""
    named = [(printable_name(photo.filename), await photo.read()) for photo in photos]
    return OutcomeResponse(await pool.run(lambda: explore_photos(named, parts.pipeline_of(None))))


def explore_photos(photos: Sequence[tuple[str, bytes]], pipeline: Pipeline) -> schemas.Exploration:
    """photos: (label, content of the file). UsageError for none, or more than `MAX_PHOTOS`."""
    if not 1 <= len(photos) <= MAX_PHOTOS:
        raise UsageError(f"send 1 to {MAX_PHOTOS} photos at a time")
    names: list[str] = []
    crops: list[Crop] = []
    left_out: list[schemas.LeftOutPhoto] = []
    for name, content in within_budget(photos):
        try:
            crops.append(pipeline.crop_found(read_image(content)))
            names.append(name)
        except (NoFaceFound, SeveralFacesFound, UnreadableImage) as error:
            left_out.append(schemas.LeftOutPhoto(name=name, reason=str(error)))
    vectors = pipeline.embed(crops)
    points = pca(vectors).coordinates if len(crops) > 2 else np.zeros((len(crops), 2), np.float32)
    matrix = similarity_matrix(vectors) if crops else np.zeros((0, 0), np.float32)
    return schemas.Exploration(
        outcome="explored",
        exit_code=0,
        faces=[
            schemas.ExploredFace(name=name, picture=jpeg_data_url(_jpeg(crop.pixels)))
            for name, crop in zip(names, crops, strict=True)
        ],
        similarity=_rounded_rows(matrix, 3),
        points=_rounded_rows(points, 4),
        threshold=round(pipeline.matcher.threshold_for(photos=1).value, 3),
        left_out=left_out,
    )


def printable_name(name: str | None) -> str:
    """A file's name as a label on the page: printable, short, and never used as a path."""
    kept = "".join(letter for letter in (name or "photo") if letter.isprintable())
    return kept[-MAX_LABEL:] or "photo"


def _rounded_rows(rows: FloatArray, digits: int) -> list[list[float]]:
    return [[round(float(value), digits) for value in row] for row in rows]


def jpeg_data_url(jpeg: bytes) -> str:
    """A picture in the text of a response."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _jpeg(pixels: ByteArray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85)
    return stream.getvalue()
