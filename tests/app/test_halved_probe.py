"""A decision on a large photo that was halved: on the same face, or on the whole photo."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from mien.app.pipeline import HALVED_FACE_PX, Pipeline
from mien.errors import NoFaceFound, SeveralFacesFound
from mien.media.halved_photo import HalvedPhoto
from mien.media.image_file import read_door_photo
from mien.results import ByteArray

SIDE = 2400  # 5.8 million pixels


class CountedPhoto:
    """A halved photo that counts how often it is read whole."""

    def __init__(self, picture: Image.Image, *, turned: bool = False) -> None:
        exif, stream = Image.Exif(), io.BytesIO()
        if turned:  # stored on its side, and turned upright by its tag
            picture = picture.transpose(Image.Transpose.ROTATE_90)
            exif[0x0112] = 6
        picture.save(stream, "JPEG", quality=92, exif=exif.tobytes())
        photo = read_door_photo(stream.getvalue())
        assert isinstance(photo, HalvedPhoto)
        self.wholes = 0
        self._read_whole = photo.read_whole
        self.photo = HalvedPhoto(photo.image_rgb, self.read_whole)

    def read_whole(self) -> ByteArray:
        self.wholes += 1
        return self._read_whole()


def on_white(picture: ByteArray, side: int) -> Image.Image:
    """The picture at that side, in the corner of a large white one."""
    large = Image.new("RGB", (SIDE, SIDE), "white")
    resample = Image.Resampling.BICUBIC
    large.paste(Image.fromarray(picture).resize((side, side), resample), (0, 0))
    return large


@pytest.mark.parametrize("turned", [False, True])
def test_a_large_face_is_decided_on_at_half_size_and_told_in_pixels_of_the_photo(
    pipeline: Pipeline, astronaut: ByteArray, turned: bool
) -> None:
    counted = CountedPhoto(on_white(astronaut, SIDE), turned=turned)
    probe = pipeline.embed_probe(counted.photo)
    assert counted.wholes == 0
    whole = pipeline.embed_probe(counted.read_whole())
    assert whole.face.height_px > 2 * HALVED_FACE_PX
    height = whole.face.height_px  # another scaling moves a box, and hardly the points
    np.testing.assert_allclose(probe.face.box_xyxy, whole.face.box_xyxy, atol=0.06 * height)
    np.testing.assert_allclose(probe.face.points_xy, whole.face.points_xy, atol=0.02 * height)
    assert float(probe.vector @ whole.vector) > 0.98
    assert probe.faults == whole.faults == ()


def test_a_small_face_is_decided_on_as_if_the_photo_had_been_read_whole(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    counted = CountedPhoto(on_white(astronaut, 700))
    probe = pipeline.embed_probe(counted.photo)
    assert counted.wholes == 1
    whole = pipeline.embed_probe(counted.read_whole())
    np.testing.assert_array_equal(probe.face.box_xyxy, whole.face.box_xyxy)
    np.testing.assert_array_equal(probe.vector, whole.vector)


def test_a_photo_with_a_fault_is_judged_by_its_own_pixels(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    blurred = on_white(astronaut, SIDE).filter(ImageFilter.GaussianBlur(SIDE / 80))
    counted = CountedPhoto(blurred)
    probe = pipeline.embed_probe(counted.photo)
    assert counted.wholes == 1
    assert probe.faults == pipeline.embed_probe(counted.read_whole()).faults != ()


def test_where_no_one_face_is_found_the_whole_photo_is_searched(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    nobody = CountedPhoto(Image.new("RGB", (SIDE, SIDE), "grey"))
    with pytest.raises(NoFaceFound):
        pipeline.embed_probe(nobody.photo)
    assert nobody.wholes == 1

    face = Image.fromarray(astronaut).resize((SIDE // 2, SIDE // 2), Image.Resampling.BICUBIC)
    two = Image.new("RGB", (SIDE, SIDE), "white")
    two.paste(face, (0, 0))
    two.paste(face, (SIDE // 2, 0))
    rivals = CountedPhoto(two)
    with pytest.raises(SeveralFacesFound):
        pipeline.embed_probe(rivals.photo)
    assert rivals.wholes == 1
