"""Decisions by a vote of five frames, and the choice of frames to enroll from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from mien.app.pipeline import Pipeline
from mien.app.voting import choose_frames, vote
from mien.errors import NoFaceFound, Outcome, SeveralFacesFound
from mien.faces.embed import Embedder
from mien.lab.recapture import recapture
from mien.media.frame import Frame
from mien.results import ByteArray, Decision, FloatArray, Threshold

HALF = Threshold(0.5, "sface", "by hand")
BLANK = np.full((2, 2, 3), 120, np.uint8)
DARK = np.zeros((2, 2, 3), np.uint8)


def decision(word: str) -> Decision:
    if word == "none":
        return Decision(float("nan"), HALF, "no face found", Outcome.NO_FACE)
    if word == "two":
        return Decision(float("nan"), HALF, "2 faces", Outcome.SEVERAL_FACES)
    similarity = float(word)
    outcome = Outcome.UNLOCKED if similarity >= 0.5 else Outcome.NOT_THE_OWNER
    return Decision(similarity, HALF, "said", outcome)


def watch(words: str, searched_whole: list[bool] | None = None) -> tuple[Decision, int]:
    """The answer to frames that decide so, and how many were looked at.

    searched_whole: gets, for each of them, whether it was to be searched whole.
    """
    script = (word for word in words.split() if word != "dark")
    looked = 0

    def look(frame: Frame, *, whole: bool) -> Decision:
        nonlocal looked
        looked += 1
        if searched_whole is not None:
            searched_whole.append(whole)
        return decision(next(script))

    frames: Iterable[Frame] = [
        Frame(0.1 * at, DARK if word == "dark" else BLANK) for at, word in enumerate(words.split())
    ]
    return vote(frames, look), looked


@pytest.mark.parametrize(
    ("words", "accepted", "looked"),
    [
        ("0.9 0.8 0.7 0.1 0.1", True, 3),
        ("0.1 0.2 0.3 0.9 0.9", False, 3),
        ("0.9 0.1 0.8 0.2 0.7", True, 5),
        ("0.9 0.1 0.8 0.2 0.3 0.9 0.9 0.9", False, 5),
        ("none two none 0.9 none 0.9 0.9", True, 7),
        ("dark 0.9 dark 0.8 dark 0.7 0.1", True, 3),
    ],
)
def test_three_of_the_first_five_faces_decide_and_no_more_frames_are_read(
    words: str, accepted: bool, looked: int
) -> None:
    answer, count = watch(words)
    assert bool(answer) is accepted
    assert count == looked


@pytest.mark.parametrize(
    ("words", "searched_whole"),
    [
        ("0.9 0.9 0.9", [False, False, True]),
        ("0.1 0.1 0.1", [False, False, True]),
        ("0.9 0.1 0.9 0.1 0.9", [False, False, False, True, True]),
        ("0.9 0.9 two none 0.9", [False, False, True, True, True]),
        ("none dark 0.9 0.9 dark 0.9", [False, False, False, True]),
    ],
)
def test_each_frame_that_may_decide_is_searched_whole(
    words: str, searched_whole: list[bool]
) -> None:
    asked: list[bool] = []
    watch(words, asked)
    assert asked == searched_whole


def test_the_decision_is_the_median_of_those_that_agree() -> None:
    assert watch("0.9 0.1 0.6 0.7")[0].similarity == 0.7
    assert watch("0.4 0.1 0.3")[0].similarity == 0.3
    assert watch("0.7 0.9 0.6")[0].similarity == 0.7
    assert watch("0.2 0.1 0.4")[0].similarity == 0.2


def test_frames_without_exactly_one_face_are_skipped_and_the_last_reason_is_given() -> None:
    assert watch("none none two")[0].outcome is Outcome.SEVERAL_FACES
    assert watch("0.9 none")[0].outcome is Outcome.NO_FACE  # one face is too few to decide on


def refusal(words: str) -> str:
    try:
        answer = watch(words)[0]
    except NoFaceFound as error:
        return str(error)
    return "" if answer else answer.reason


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("dark dark dark", "no frame shows one face: 3 dark; turn on a light"),
        ("none dark dark", "no frame shows one face: 2 dark, 1 without a face; turn on a light"),
        ("none dark none", "no frame shows one face: 2 without a face, 1 dark; no face found"),
        ("two dark two", "no frame shows one face: 2 with several faces, 1 dark; 2 faces"),
        ("0.9 none 0.9", "2 frames with one face, and 3 must agree: 1 without a face; no face"),
        ("0.9", "1 frame with one face, and 3 must agree; look into the camera for longer"),
    ],
)
def test_the_reason_says_what_was_wrong_with_the_skipped_frames(words: str, said: str) -> None:
    assert refusal(words).startswith(said)


def test_dark_frames_do_not_hide_that_there_were_several_faces() -> None:
    assert watch("two dark dark")[0].outcome is Outcome.SEVERAL_FACES


def test_too_few_frames_never_unlock() -> None:
    for words in ("", "0.9", "0.9 0.9", "0.9 0.9 0.1 0.1"):
        with pytest.raises(NoFaceFound, match="for longer"):
            watch(words)


def test_an_error_while_analysing_never_unlocks() -> None:
    def look(frame: Frame, *, whole: bool) -> Decision:
        raise RuntimeError("the engine fell over")

    with pytest.raises(RuntimeError):
        vote([Frame(0.0, BLANK)], look)


def test_an_error_of_the_camera_never_unlocks() -> None:
    def frames() -> Iterator[Frame]:
        yield Frame(0.0, BLANK)
        yield Frame(0.1, BLANK)
        raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        vote(frames(), lambda frame, *, whole: decision("0.9"))


def test_voting_accepts_a_stranger_less_often_than_single_frames() -> None:
    """Independent frames: 0.86 %; the bound for any frames at all is five thirds of a tenth."""
    rng = np.random.default_rng(1)
    passes = rng.random((4000, 5)) < 0.1
    got_in = 0
    for row in passes:
        words = " ".join("0.9" if one else "0.1" for one in row)
        got_in += bool(watch(words)[0])
    assert got_in / 4000 < 0.02


def test_enrollment_takes_up_to_five_different_frames(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    rng = np.random.default_rng(2)
    shots = [recapture(astronaut, rng) for _ in range(3)]
    wall = np.full((200, 200, 3), 120, np.uint8)
    film = [wall, shots[0], shots[0], shots[0], shots[1], wall, shots[2]]
    kept = choose_frames([Frame(0.1 * at, image) for at, image in enumerate(film)], pipeline)
    assert 1 <= len(kept) <= 3
    assert np.array_equal(kept[0], shots[0])
    assert sum(np.array_equal(one, shots[0]) for one in kept) == 1


def with_embeddings_at(pipeline: Pipeline, *degrees: float) -> Pipeline:
    """The real detector, and an embedder that gives unit vectors at these angles in turn."""
    angles = iter(np.radians(degrees))

    def net(pixels: FloatArray) -> FloatArray:
        angle = next(angles)
        rows = np.zeros((1, 128), np.float32)
        rows[0, :2] = np.cos(angle), np.sin(angle)
        return rows

    return Pipeline(pipeline.cascade, Embedder(net, pipeline.embedder.row))


@pytest.mark.parametrize(("degrees", "taken"), [(17, 1), (20, 2)])
def test_a_frame_of_cosine_095_to_a_taken_one_is_skipped(
    pipeline: Pipeline, astronaut: ByteArray, degrees: float, taken: int
) -> None:
    scripted = with_embeddings_at(pipeline, 0.0, degrees)  # cosine 0.956 or 0.940
    kept = choose_frames([Frame(0.0, astronaut), Frame(0.1, astronaut)], scripted)
    assert len(kept) == taken


def test_no_more_than_five_frames_are_chosen(pipeline: Pipeline, astronaut: ByteArray) -> None:
    scripted = with_embeddings_at(pipeline, *range(0, 360, 60))
    kept = choose_frames([Frame(0.1 * at, astronaut) for at in range(6)], scripted)
    assert len(kept) == 5


def test_a_video_without_a_good_face_enrolls_nobody(pipeline: Pipeline) -> None:
    wall = np.full((200, 200, 3), 120, np.uint8)
    with pytest.raises(NoFaceFound, match="no frame to enroll from: 1 without a face; no face"):
        choose_frames([Frame(0.0, wall)], pipeline)


def test_a_dark_video_enrolls_nobody_and_is_called_dark(pipeline: Pipeline) -> None:
    advice = "turn on a light, and uncover the lens"
    with pytest.raises(NoFaceFound, match=f"no frame to enroll from: 2 dark; {advice}$"):
        choose_frames([Frame(0.0, DARK), Frame(0.1, DARK)], pipeline)


def test_a_video_of_several_people_enrolls_nobody(pipeline: Pipeline, astronaut: ByteArray) -> None:
    two = np.hstack([astronaut, astronaut])
    with pytest.raises(SeveralFacesFound, match="1 with several faces; 2 faces of similar size"):
        choose_frames([Frame(0.0, two)], pipeline)
    with pytest.raises(SeveralFacesFound, match="1 with several faces, 1 dark; 2 faces"):
        choose_frames([Frame(0.0, two), Frame(0.1, DARK)], pipeline)


def test_a_video_of_a_poor_face_enrolls_nobody_and_says_what_to_do_better(
    pipeline: Pipeline, astronaut: ByteArray
) -> None:
    with pytest.raises(NoFaceFound, match="1 not good enough; too dark: face a light"):
        choose_frames([Frame(0.0, astronaut // 4)], pipeline)


def test_a_video_without_frames_enrolls_nobody(pipeline: Pipeline) -> None:
    words = "no frame to enroll from; look into the camera for longer"
    with pytest.raises(NoFaceFound, match=f"^{words}$"):
        choose_frames([], pipeline)
