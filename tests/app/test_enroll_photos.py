"""Photos of one person make a template; anything else is refused by the name of the photo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.app.enroll import analyse_photos, enroll_photos, keep_good, merge
from mien.app.neighbours import Neighbours
from mien.app.pipeline import Pipeline
from mien.errors import (
    EnrollmentRefused,
    NoFaceFound,
    SeveralFacesFound,
    UnreadableImage,
    UsageError,
)
from mien.faces.embed import Embedder
from mien.lab.recapture import recapture
from mien.media.image_file import ImageSource
from mien.results import ByteArray, FloatArray, Template
from mien.vault.centroids.centroid_arrays import CentroidArrays
from mien.vault.centroids.centroid_block import CentroidBlock
from mien.vectors import centre_of


@pytest.fixture(scope="module")
def shots(astronaut: ByteArray) -> list[ByteArray]:
    """Three photos of her, a moment apart."""
    rng = np.random.default_rng(2)
    return [recapture(astronaut, rng) for _ in range(3)]


def saved(image: ByteArray, path: Path) -> Path:
    Image.fromarray(image).save(path)
    return path


def with_vectors(pipeline: Pipeline, vectors: FloatArray) -> Pipeline:
    """The real detector, and an embedder that gives these rows, in order, padded to 128."""

    def net(pixels: FloatArray) -> FloatArray:
        rows = np.zeros((len(pixels), 128), np.float32)
        rows[:, : vectors.shape[1]] = vectors[: len(pixels)]
        return rows

    return Pipeline(pipeline.cascade, Embedder(net, pipeline.embedder.row))


def at(*degrees: float) -> FloatArray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_photos_of_one_person_make_a_template(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    enrollment = enroll_photos(shots, pipeline)
    assert enrollment.template.vectors.shape == (3, 128)
    assert enrollment.template.model == pipeline.model
    assert enrollment.skipped == ()
    assert [photo.name for photo in enrollment.photos] == ["photo 1", "photo 2", "photo 3"]
    for row, photo in enumerate(enrollment.photos):
        alone = pipeline.embed_probe(shots[row]).vector
        np.testing.assert_allclose(enrollment.template.vectors[row], alone, atol=1e-5)
        assert photo.leave_one_out is not None
        assert photo.leave_one_out > 0.8


def test_files_bytes_and_pil_images_give_the_same_as_arrays(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    path = saved(shots[0], tmp_path / "a.png")
    sources: list[ImageSource] = [str(path), saved(shots[1], tmp_path / "b.png").read_bytes()]
    sources.append(Image.fromarray(shots[2]))
    mixed = enroll_photos(sources, pipeline)
    plain = enroll_photos(shots, pipeline)
    np.testing.assert_allclose(mixed.template.vectors, plain.template.vectors, atol=1e-5)
    assert [photo.name for photo in mixed.photos] == [repr(str(path)), "photo 2", "photo 3"]


def test_a_single_photo_is_enough_and_more_are_advised(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    enrollment = enroll_photos([astronaut], pipeline)
    assert enrollment.photos[0].leave_one_out is None
    assert enrollment.advice == ("one photo only; add two to four more in different light",)


def test_no_photos_are_refused(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="no photo given"):
        enroll_photos([], pipeline)


def test_a_poor_photo_gets_advice_with_its_name(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    dark = saved(shots[1] // 3, tmp_path / "evening.png")
    advice = enroll_photos([shots[0], dark], pipeline).advice
    assert f"{str(dark)!r}: too dark: face a light" in advice
    assert not any(line.startswith("photo 1") for line in advice)


def test_a_photo_outside_the_calibrated_quality_is_refused_by_its_name(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    dark = saved(shots[1] // 6, tmp_path / "night.png")
    words = f"{str(dark)!r}: too dark: take the photo in more light"
    with pytest.raises(EnrollmentRefused, match=re.escape(words)):
        enroll_photos([shots[0], dark], pipeline)


@pytest.mark.parametrize(("turns", "degrees"), [(1, 270), (2, 180), (3, 90)])
def test_a_turned_photo_is_turned_back_and_that_is_said(
    pipeline: Pipeline, astronaut: ByteArray, turns: int, degrees: int
) -> None:
    upright = enroll_photos([astronaut], pipeline)
    found = enroll_photos([np.ascontiguousarray(np.rot90(astronaut, turns))], pipeline)
    np.testing.assert_allclose(found.template.vectors, upright.template.vectors, atol=1e-5)
    assert found.photos[0].turned_degrees == degrees
    assert f"turned by {degrees} degrees" in found.advice[0]
    assert upright.photos[0].turned_degrees == 0


def test_a_photo_without_a_face_is_named(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    wall = saved(np.full((300, 300, 3), 140, np.uint8), tmp_path / "wall.png")
    with pytest.raises(NoFaceFound) as caught:
        enroll_photos([shots[0], wall], pipeline)
    assert str(caught.value).startswith(f"{str(wall)!r}: no face found")


def test_a_photo_of_several_people_is_named(pipeline: Pipeline, astronaut: ByteArray) -> None:
    with pytest.raises(SeveralFacesFound, match="photo 2: 2 faces of similar size"):
        enroll_photos([astronaut, np.hstack([astronaut, astronaut])], pipeline)


def test_a_file_that_is_not_a_photo_is_named_on_one_line(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    bad = tmp_path / "two\nlines.jpg"
    bad.write_text("no picture")
    with pytest.raises(UnreadableImage) as caught:
        enroll_photos([shots[0], bad], pipeline)
    assert repr(str(bad)) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_photo_of_somebody_else_is_named(pipeline: Pipeline, astronaut: ByteArray) -> None:
    mixed = with_vectors(pipeline, at(0, 12, 24, 140))
    with pytest.raises(EnrollmentRefused) as caught:
        enroll_photos([astronaut] * 4, mixed)
    words = str(caught.value)
    assert words.startswith("these photos do not show one person: photo 4 ")
    assert "photo 4 (similarity to the others at most -0.62)" in words


def test_photos_of_two_people_in_equal_number_are_all_named(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    mixed = with_vectors(pipeline, at(0, 120))
    with pytest.raises(EnrollmentRefused, match="photo 1, photo 2"):
        enroll_photos([astronaut] * 2, mixed)


def test_photos_whose_embeddings_cancel_out_are_refused(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    with pytest.raises(EnrollmentRefused):
        enroll_photos([astronaut] * 3, with_vectors(pipeline, at(0, 180, 90)))


def test_a_photo_given_twice_counts_once_and_is_reported(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    enrollment = enroll_photos([shots[0], shots[1], shots[0].copy()], pipeline)
    assert enrollment.skipped == (("photo 3", "photo 1"),)
    assert [photo.name for photo in enrollment.photos] == ["photo 1", "photo 2"]
    assert len(enrollment.template.vectors) == 2


def test_a_photo_saved_again_counts_as_the_same(
    pipeline: Pipeline, astronaut: ByteArray, tmp_path: Path
) -> None:
    again = tmp_path / "again.jpg"
    Image.fromarray(astronaut).save(again, quality=92)
    enrollment = enroll_photos([astronaut, again], pipeline)
    assert enrollment.skipped == ((repr(str(again)), "photo 1"),)
    assert enrollment.photos[0].leave_one_out is None


# on top of an earlier template -------------------------------------------------------------


def test_added_photos_come_after_the_enrolled_ones(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    before = enroll_photos(shots[:2], pipeline).template
    after = enroll_photos(shots[2:], pipeline, onto=before)
    np.testing.assert_array_equal(after.template.vectors[:2], before.vectors)
    assert len(after.template.vectors) == 3
    assert [photo.name for photo in after.photos] == ["photo 1"]
    assert after.photos[0].leave_one_out is not None


def test_an_added_second_photo_gets_no_single_photo_warning(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    before = enroll_photos(shots[:1], pipeline).template
    after = enroll_photos(shots[1:2], pipeline, onto=before)
    assert [line for line in after.advice if "one photo only" in line] == []
    nothing_new = enroll_photos(shots[:1], pipeline, onto=before)
    assert [line for line in nothing_new.advice if "one photo only" in line] != []


def test_adding_only_enrolled_photos_changes_nothing_and_is_reported(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    before = enroll_photos(shots[:2], pipeline).template
    after = enroll_photos([shots[1]], pipeline, onto=before)
    np.testing.assert_array_equal(after.template.vectors, before.vectors)
    assert after.photos == ()
    assert after.skipped == (("photo 1", "an earlier photo"),)


def test_nearly_equal_earlier_photos_are_all_kept(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    one = enroll_photos(shots[:1], pipeline).template
    twice = Template(np.repeat(one.vectors, 2, axis=0), pipeline.model)
    after = enroll_photos(shots[1:2], pipeline, onto=twice)
    assert after.skipped == ()
    assert len(after.template.vectors) == 3
    np.testing.assert_array_equal(after.template.vectors[:2], twice.vectors)


def test_photos_of_another_person_cannot_be_added(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    unlike = np.zeros((2, 128), np.float32)
    unlike[:, 5:7] = at(10, 20)
    stranger = Template(unlike, pipeline.model)
    with pytest.raises(EnrollmentRefused, match="do not show one person"):
        enroll_photos(shots[:1], pipeline, onto=stranger)


def test_progress_counts_every_photo_once(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    walked = []

    def progress(photos: Sequence[ImageSource]) -> Iterable[ImageSource]:
        for photo in photos:
            walked.append(photo)
            yield photo

    enroll_photos(shots, pipeline, progress=progress)
    assert len(walked) == 3


# on the article's photos -------------------------------------------------------------------


def test_the_articles_people_each_make_a_template(pipeline: Pipeline, shared_photos: Path) -> None:
    for person in sorted((shared_photos / "faces").iterdir()):
        photos = sorted(person.iterdir())
        enrollment = enroll_photos(photos, pipeline)
        assert len(enrollment.photos) == len(photos)
        assert enrollment.advice == ()


def test_a_real_stranger_among_the_owners_photos_is_named(
    pipeline: Pipeline, shared_photos: Path
) -> None:
    owner = sorted((shared_photos / "faces" / "me").iterdir())
    stranger = shared_photos / "faces" / "matt_demon" / "193188.jpg"
    with pytest.raises(EnrollmentRefused) as caught:
        enroll_photos([*owner[:2], stranger, owner[2]], pipeline)
    assert f"one person: {str(stranger)!r} (similarity" in str(caught.value)


def test_rotated_templates_give_the_same_advice(pipeline: Pipeline, shots: list[ByteArray]) -> None:
    """A vault keeps templates turned by a secret: all that enrollment says are cosines."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(128, 128)))[0].astype(np.float32)
    plain = analyse_photos(shots, pipeline)
    turned = merge(replace(plain, vectors=plain.vectors @ turn), pipeline)
    for a, b in zip(merge(plain, pipeline).photos, turned.photos, strict=True):
        assert a.name == b.name
        assert a.leave_one_out == pytest.approx(b.leave_one_out, abs=1e-5)


def test_an_enrollment_names_enrolled_people_who_look_alike(
    pipeline: Pipeline, shots: list[ByteArray]
) -> None:
    enrollment = enroll_photos(shots, pipeline)
    centre = centre_of(enrollment.template.vectors)

    def look_alikes(user: str, **others: FloatArray) -> list[str]:
        names = {name.encode().ljust(32): name for name in others}
        block = CentroidBlock.of(dict(zip(names, others.values(), strict=True)))
        known = Neighbours(CentroidArrays([block]), names.get, pipeline.matcher)
        found = known.add_warnings(enrollment, user=user)
        assert any("looks like twin" in line for line in found.advice) == bool(found.look_alikes)
        return [name for name, _ in found.look_alikes]

    assert look_alikes("ana", twin=centre, far=-centre) == ["twin"]
    assert look_alikes("ana", far=-centre) == []
    assert look_alikes("twin", twin=centre, far=-centre) == []


def test_a_poor_photo_of_a_folder_is_left_out_and_named(
    pipeline: Pipeline, shots: list[ByteArray], tmp_path: Path
) -> None:
    dark = saved(shots[1] // 6, tmp_path / "night.png")
    photos: list[ImageSource] = [shots[0], str(dark)]
    analysed = analyse_photos(photos, pipeline, may_skip=lambda photo: photo == str(dark))
    kept = keep_good(analysed)
    assert [photo.name for photo in kept.photos] == ["photo 1"]
    assert kept.vectors.shape == (1, 128)
    assert kept.left_out == (f"{str(dark)!r}: too dark: take the photo in more light",)
    alone = analyse_photos([str(dark)], pipeline, may_skip=lambda photo: True)
    with pytest.raises(EnrollmentRefused, match="too dark"):
        keep_good(alone)


@pytest.mark.parametrize("is_optional", [False, True])
def test_a_photo_without_a_face_is_left_out_only_if_it_is_optional(
    pipeline: Pipeline, shots: list[ByteArray], is_optional: bool
) -> None:
    photos = [shots[0], np.zeros((64, 64, 3), np.uint8)]
    if not is_optional:
        with pytest.raises(NoFaceFound, match="photo 2: no face found"):
            analyse_photos(photos, pipeline)
        return
    analysed = analyse_photos(photos, pipeline, may_skip=lambda photo: True)
    assert [one.name for one in analysed.photos] == ["photo 1"]
    assert [one.is_optional for one in analysed.photos] == [True]
    (reason,) = analysed.left_out
    assert reason.startswith("photo 2: no face found")
