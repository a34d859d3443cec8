"""Many photos through real worker processes: a record for each, whatever it does to them."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import embed, embed_photos
from mien.app.batch_pipeline import open_batch_pipeline
from mien.app.pipeline import Pipeline
from mien.bulk import analyse, guard
from mien.bulk.embedded_photo import EmbeddedPhoto, photo_from_plain
from mien.bulk.guard import PhotoGuard, SourcePhoto
from mien.errors import Outcome, UnreadableImage, UsageError, WorkerDied
from mien.models import SFACE
from mien.results import ByteArray
from mien.settings import Settings


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, astronaut: ByteArray, crowd: ByteArray
) -> Path:
    made = tmp_path_factory.mktemp("photos")
    Image.fromarray(np.ascontiguousarray(astronaut[0:256, 96:352])).save(made / "face.png")
    Image.fromarray(crowd).save(made / "several.png")
    Image.new("RGB", (200, 200), (150, 140, 130)).save(made / "wall.png")
    whole = (made / "face.png").read_bytes()
    (made / "cut.png").write_bytes(whole[: len(whole) // 2])
    return made


OUTCOMES = {
    "face.png": Outcome.OK,
    "several.png": Outcome.SEVERAL_FACES,
    "wall.png": Outcome.NO_FACE,
    "cut.png": Outcome.UNREADABLE_IMAGE,
    "missing.png": Outcome.UNREADABLE_IMAGE,
}


def test_each_photo_is_a_record_with_its_face_or_a_reason(folder: Path, home: Path) -> None:
    names = [str(folder / name) for name in OUTCOMES]
    found = list(embed_photos(names, workers=1))
    assert [one.name for one in found] == names
    assert [one.row for one in found] == [0, 1, 2, 3, 4]
    assert [one.outcome for one in found] == list(OUTCOMES.values())
    assert [one.faces for one in found] == [1, 2, 0, 0, 0]
    assert [bool(one.error) for one in found] == [False, True, True, True, True]
    assert "cut.png" in found[3].error
    assert "no file" in found[4].error
    for one, name in zip(found[:4], names, strict=False):
        assert one.sha256 == hashlib.sha256(Path(name).read_bytes()).hexdigest()
    assert found[4].sha256 == ""


def test_a_record_has_what_an_attempt_sees_or_what_enrollment_sees(
    folder: Path, home: Path, pipeline: Pipeline
) -> None:
    photo = folder / "face.png"
    [quick] = embed_photos([photo], workers=1)
    [careful] = embed_photos([photo], workers=1, carefully=True)
    probe = pipeline.embed_probe(np.asarray(Image.open(photo).convert("RGB")))
    assert quick.face is not None
    assert quick.vector is not None
    np.testing.assert_allclose(quick.face.box_xyxy, probe.face.box_xyxy, atol=1e-3)
    np.testing.assert_allclose(quick.vector, probe.vector, atol=1e-5)
    assert quick.faults == probe.faults
    np.testing.assert_allclose(careful.vector, embed([photo])[0], atol=1e-5)


def test_paths_bytes_files_pictures_and_pixels_are_sources(folder: Path, home: Path) -> None:
    photo = folder / "face.png"
    content = photo.read_bytes()
    picture = Image.open(photo)
    sources = (photo, content, io.BytesIO(content), picture, np.asarray(picture), io.StringIO("x"))
    found = list(embed_photos((one for one in sources), workers=1))
    assert [one.outcome for one in found[:5]] == [Outcome.OK] * 5
    assert found[5].outcome is Outcome.UNREADABLE_IMAGE
    assert [one.name for one in found[1:]] == [f"photo {n}" for n in range(2, 7)]
    for one in found[1:5]:
        np.testing.assert_allclose(one.vector, found[0].vector, atol=1e-5)
    assert [bool(one.sha256) for one in found] == [True, True, True, False, False, False]


def test_a_folder_gives_its_photos_in_order_from_several_workers(folder: Path, home: Path) -> None:
    found = list(embed_photos(folder, workers=2, batch=1))
    assert [Path(one.name).name for one in found] == [
        "cut.png",
        "face.png",
        "several.png",
        "wall.png",
    ]


def test_sources_are_taken_as_they_are_needed(folder: Path, home: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(1)
            yield folder / "wall.png"

    photos = embed_photos(endless(), batch=2, workers=1)
    next(photos)
    assert len(taken) <= 2 * 2 + 1
    photos.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"batch": 0}, "batch"),
        ({"workers": 0}, "--workers"),
        ({"model": "x"}, "unknown model"),
        ({"photo_limit_s": float("nan")}, "photo_limit_s"),
    ],
)
def test_a_wrong_argument_is_refused_at_the_call(
    arguments: dict[str, object], words: str, home: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        embed_photos([], **arguments)  # type: ignore[arg-type]


def test_one_photo_outside_a_list_is_refused(home: Path) -> None:
    with pytest.raises(UsageError, match="in a list"):
        embed_photos(b"bytes of a photo")  # type: ignore[arg-type]


@pytest.mark.parametrize("ahead", [1, 10**9])
@pytest.mark.parametrize("carefully", [False, True])
def test_photos_that_are_looked_at_together_get_the_answers_of_each_alone(
    folder: Path,
    settings: Settings,
    carefully: bool,
    ahead: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(analyse, "PIXELS_IN_PROGRESS", ahead)
    alone = analyse.load_analysis(settings, "sface", carefully=carefully)
    photos = [(name, str(folder / name)) for name in (*OUTCOMES, "face.png")]
    together = analyse.analyse_together(open_batch_pipeline(settings), carefully, photos)
    dims = SFACE.dims
    for row, (one, other) in enumerate(zip(together, alone(photos), strict=True)):
        found, expected = (photo_from_plain(row, "", plain, dims=dims) for plain in (one, other))
        for name in ("sha256", "faults", "faces", "outcome", "error"):
            assert getattr(found, name) == getattr(expected, name)
        assert (found.vector is None) == (expected.vector is None)
        if found.vector is not None and expected.vector is not None:
            np.testing.assert_allclose(found.vector, expected.vector, atol=1e-4)


# photos that end or stop their worker -----------------------------------------------------------


def _load_fragile(settings: Settings, model: str, *, carefully: bool) -> analyse.Analyse:
    """Answers for each photo as its name says, without any net."""
    return _answer_each


def _answer_each(photos: Sequence[tuple[str, analyse.Content]]) -> Iterator[tuple[object, ...]]:
    for name, content in photos:
        if name == "exit":
            os._exit(9)
        if name == "hang":
            threading.Event().wait()
        if name == "bug":
            raise KeyError(name)
        if name == "once":  # as a worker that somebody else killed
            note = Path(str(content))
            if not note.exists():
                note.touch()
                os._exit(9)
        yield ("", None, None, 0.0, None, (), 0, "ok" if name == "nonsense" else "no_face", "none")


@pytest.fixture
def fragile(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[PhotoGuard]:
    monkeypatch.setattr(guard, "load_analysis", _load_fragile)
    one = PhotoGuard(settings, "sface", carefully=False, limit_s=2.0)
    yield one
    one.close()


def _load_fragile_at_once(settings: Settings, model: str, *, carefully: bool) -> analyse.Analyse:
    """As on a graphics card: no answer comes before all photos were looked at. Counts itself."""
    with (settings.cache_dir / "loads").open("a") as loads:
        loads.write("x")
    return lambda photos: iter(list(_answer_each(photos)))


@pytest.fixture
def fragile_at_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PhotoGuard]:
    monkeypatch.setattr(guard, "load_analysis", _load_fragile_at_once)
    on_card = replace(settings, engine="cuda", cache_dir=tmp_path)
    one = PhotoGuard(on_card, "sface", carefully=False, limit_s=2.0)
    yield one
    one.close()


def _run(fragile: PhotoGuard, *names: str, content: str = "x") -> list[EmbeddedPhoto]:
    photos = [SourcePhoto(row, name, content) for row, name in enumerate(names)]
    return list(fragile.results(photos))


def test_a_photo_that_ends_its_worker_is_a_record_and_the_others_go_on(fragile: PhotoGuard) -> None:
    found = _run(fragile, "a", "exit", "b", "exit", "exit", "c")
    assert [one.name for one in found] == ["a", "exit", "b", "exit", "exit", "c"]
    ended = [one.outcome is Outcome.INTERNAL_ERROR for one in found]
    assert ended == [False, True, False, True, True, False]
    assert "ended the process that decoded it (code 9)" in found[1].error


def test_a_photo_that_hangs_is_given_up_and_the_others_go_on(fragile: PhotoGuard) -> None:
    found = _run(fragile, "a", "hang", "b")
    assert [one.name for one in found] == ["a", "hang", "b"]
    assert "more than 2 s" in found[1].error
    assert found[2].outcome is Outcome.NO_FACE


def test_a_bug_that_a_photo_finds_is_a_record(fragile: PhotoGuard) -> None:
    found = _run(fragile, "a", "bug", "b")
    assert [one.outcome.value for one in found] == ["no_face", "internal_error", "no_face"]
    assert "KeyError" in found[1].error


def test_a_worker_that_was_killed_from_outside_costs_no_photo(
    fragile: PhotoGuard, tmp_path: Path
) -> None:
    found = _run(fragile, "a", "once", "b", content=str(tmp_path / "note"))
    assert [one.outcome.value for one in found] == ["no_face"] * 3


@pytest.mark.parametrize("bad", ["exit", "hang"])
def test_of_photos_that_are_looked_at_together_the_right_one_is_blamed(
    fragile_at_once: PhotoGuard, bad: str
) -> None:
    found = _run(fragile_at_once, "a", "b", bad, "c", bad, "d")
    assert [one.name for one in found] == ["a", "b", bad, "c", bad, "d"]
    blamed = [one.outcome is Outcome.INTERNAL_ERROR for one in found]
    assert blamed == [False, False, True, False, True, False]
    assert [one.error for one in _run(fragile_at_once, "a", "b")] == ["none", "none"]


def test_the_one_to_blame_is_not_searched_for_with_a_worker_for_each_photo(
    fragile_at_once: PhotoGuard, tmp_path: Path
) -> None:
    _run(fragile_at_once, *"abcdefgh", "exit")
    # all together; one after the other; once more the one that ended that
    assert (tmp_path / "loads").read_text() == "xxx"


def test_a_worker_of_several_photos_that_was_killed_from_outside_costs_none(
    fragile_at_once: PhotoGuard, tmp_path: Path
) -> None:
    found = _run(fragile_at_once, "a", "once", "b", content=str(tmp_path / "note"))
    assert [one.outcome.value for one in found] == ["no_face"] * 3


def test_an_answer_that_is_none_is_not_believed(fragile: PhotoGuard) -> None:
    found = _run(fragile, "nonsense", "a")
    assert [one.outcome.value for one in found] == ["internal_error", "no_face"]


def test_what_could_not_be_read_needs_no_worker(fragile: PhotoGuard) -> None:
    why = UnreadableImage("gone")
    photos = [SourcePhoto(0, "x", why), SourcePhoto(1, "a", "x"), SourcePhoto(2, "y", why)]
    found = list(fragile.results(photos))
    assert [one.error for one in found] == ["gone", "none", "gone"]


def _load_nothing(settings: Settings, model: str, *, carefully: bool) -> analyse.Analyse:
    os._exit(1)


def test_a_worker_that_cannot_start_is_an_error_and_no_photo_is_blamed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "load_analysis", _load_nothing)
    with pytest.raises(WorkerDied, match="mien doctor"):
        _run(PhotoGuard(settings, "sface", carefully=False), "a")


UNIT = np.eye(1, 4, dtype=np.float32)[0]
BOX, POINTS = np.array([1, 2, 3, 4], np.float32), np.zeros((5, 2), np.float32)


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "0" * 63},
        {"sha256": "z" * 64},
        {"box": np.zeros(3, np.float32)},
        {"box": np.array([1, 2, np.nan, 4], np.float32)},
        {"box": np.array([3, 2, 1, 4], np.float32)},
        {"points": np.full((5, 2), np.inf, np.float32)},
        {"score": float("nan")},
        {"score": 1.5},
        {"faces": -1},
        {"vector": np.zeros(4, np.float32)},
        {"vector": UNIT[:3]},
        {"vector": np.full(4, np.nan, np.float32)},
        {"vector": None},
        {"outcome": "no_face"},
        {"outcome": "unknown"},
        {"faults": 7},
        {"error": 7},
    ],
)
def test_a_hostile_answer_is_refused(change: dict[str, object]) -> None:
    good = {
        **{"sha256": "0" * 64, "box": BOX, "points": POINTS, "score": 0.9, "vector": UNIT},
        **{"faults": [], "faces": 1, "outcome": "ok", "error": ""},
    }
    assert photo_from_plain(0, "a", list(good.values()), dims=4).outcome is Outcome.OK
    with pytest.raises((ValueError, TypeError)):
        photo_from_plain(0, "a", list((good | change).values()), dims=4)


def test_words_of_a_hostile_answer_cannot_write_to_the_terminal() -> None:
    answer = ["", None, None, 0.0, None, ["\x1b[31m"], 0, "no_face", "\x1b[31mred\n"]
    found = photo_from_plain(0, "a", answer, dims=4)
    assert (found.error, found.faults) == ("?[31mred?", ("?[31m",))


def _load_with_a_bug(settings: Settings, model: str, *, carefully: bool) -> analyse.Analyse:
    raise KeyError("a bug")


def test_a_bug_while_loading_is_an_error_and_no_photo_is_blamed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "load_analysis", _load_with_a_bug)
    broken = PhotoGuard(settings, "sface", carefully=False)
    with pytest.raises(WorkerDied, match="KeyError"):
        _run(broken, "a")
    broken.close()
