"""Which levels `largest` searches and which final boxes are kept, on hand-made networks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mien.faces.box_net import BATCH, BoxNet
from mien.faces.detect import LIMITS, STRIDE, Cascade, CascadeSettings
from mien.faces.pyramid import AreaTable
from mien.results import FloatArray

SETTINGS = CascadeSettings(min_face_size=12, factor=0.5)


def answer_each(*rows: list[float]) -> Callable[[Any], FloatArray]:
    """An R-Net or O-Net that gives these outputs for the boxes, in their order."""
    table = np.array(rows, np.float32)
    return lambda pixels: table[: len(pixels), :, np.newaxis, np.newaxis]


class LevelNet:
    """A P-Net that proposes the middle window of one level; remembers the face sizes searched."""

    def __init__(self, face_px: int, widen: float) -> None:
        self._face_px = face_px
        self._offsets = np.array([-widen, -widen, widen, widen], np.float32) / 2
        self.searched: list[int] = []

    def __call__(self, pixels: Any) -> Any:
        rows, columns = ((side - 12) // STRIDE + 1 for side in pixels.shape[2:])
        face_px = round(12 * 192 / (pixels.shape[2] - 1))  # of an image of 192 px
        self.searched.append(face_px)
        maps = np.full((1, 5, rows, columns), -9.0, np.float32)
        if face_px == self._face_px:
            maps[0, 0, rows // 2, columns // 2] = 9.0
            maps[0, 1:, rows // 2, columns // 2] = self._offsets
        return maps


@pytest.mark.parametrize(
    ("face_px", "widen", "searched"),
    [
        (192, 0.0, [192, 96, 48]),  # faces of a fifth of the short side (38 px) are searched first
        (96, 0.0, [192, 96, 48]),
        (48, 0.5, [192, 96, 48]),  # 70 px: a second face of 24 px is below two fifths of it
        (48, 0.0, [192, 96, 48, 24]),  # 47 px: one of 24 px is above, one of 12 px is not
        (24, 1.0, [192, 96, 48, 24, 12]),  # nothing was found: two more levels at once
        (12, 0.0, [192, 96, 48, 24, 12]),
        (0, 0.0, [192, 96, 48, 24, 12]),
    ],
)
def test_the_search_for_the_largest_face_stops_at_the_right_level(
    face_px: int, widen: float, searched: list[int]
) -> None:
    pnet = LevelNet(face_px, widen)
    rnet, onet = answer_each([1.0] + [0.0] * 4), answer_each([1.0] + [0.0] * 14)
    faces = Cascade(pnet, rnet, onet, SETTINGS).find(np.zeros((192, 192, 3), np.uint8), "largest")
    assert pnet.searched == searched
    assert len(faces) == (face_px > 0)


@pytest.mark.parametrize(("shift", "kept"), [(0, 2), (-1, 1)])
def test_of_two_final_boxes_that_overlap_by_seven_tenths_of_the_smaller_one_is_kept(
    shift: int, kept: int
) -> None:
    def pnet(pixels: Any) -> Any:
        maps = np.zeros((1, 5, 1, 3), np.float32)
        maps[0, 0, 0] = (9.0, -9.0, 8.0)  # windows at x = 1 and x = 5
        return maps

    rnet = answer_each([2.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0])
    move = shift / 12  # O-Net moves the second box by whole pixels
    onet = answer_each([2.0] + [0.0] * 14, [1.0, move, 0, move, *[0.0] * 11])
    faces = Cascade(pnet, rnet, onet, SETTINGS).find(np.zeros((12, 16, 3), np.uint8))
    # 12 px wide, counted with the last pixel: 8 of 12 columns are shared, or 9 of 12
    assert len(faces) == kept
    np.testing.assert_allclose(faces.boxes_xyxy[0], [1, 1, 12, 12])


def test_the_size_of_the_largest_face_decides_and_not_that_of_a_smaller_one() -> None:
    class TwoFaces(LevelNet):
        def __call__(self, pixels: Any) -> Any:
            maps = super().__call__(pixels)
            if self.searched[-1] == 48:
                maps[0, :, 0, 0] = (9.0, 0, 0, 0, 0)  # in the corner, outside the large face
            return maps

    pnet = TwoFaces(96, 0.0)
    rnet = answer_each(*[[1.0] + [0.0] * 4] * 2)
    onet = answer_each(*[[1.0] + [0.0] * 14] * 2)
    faces = Cascade(pnet, rnet, onet, SETTINGS).find(np.zeros((192, 192, 3), np.uint8), "largest")
    assert len(faces) == 2
    assert pnet.searched == [192, 96, 48]


def test_the_longer_side_is_the_size_of_a_face() -> None:
    pnet = LevelNet(48, 0.0)
    onet = answer_each([1.0, 0, 0, 0, 0.5, *[0.0] * 10])  # 44 px wide and 66 px high
    faces = Cascade(pnet, answer_each([1.0] + [0.0] * 4), onet, SETTINGS).find(
        np.zeros((192, 192, 3), np.uint8), "largest"
    )
    assert faces[0].width_px < 45 < 66 < faces[0].height_px
    assert pnet.searched == [192, 96, 48]


def test_crops_reach_to_the_last_column_and_the_last_row() -> None:
    crops: list[Any] = []

    def rnet(pixels: Any) -> Any:
        crops.append(pixels)
        return np.full((len(pixels), 5, 1, 1), -9.0, np.float32)

    image = np.zeros((12, 12, 3), np.uint8)
    image[-1, :] = 100
    image[:, -1] = 200
    window = LevelNet(192, 0.0)  # the only window of the only level
    Cascade(window, rnet, answer_each(), SETTINGS).find(image)
    assert crops[0].shape == (1, 3, 24, 24)
    assert (crops[0][..., -2:] == 200).all()
    assert (crops[0][..., -2:, :-2] == 100).all()
    assert (crops[0][..., :-2, :-2] == 0).all()


def test_two_callers_run_p_net_at_the_same_time() -> None:
    both = threading.Barrier(2)

    def pnet(pixels: Any) -> Any:
        both.wait(timeout=60)  # raises BrokenBarrierError if the other level never starts
        rows, columns = ((side - 12) // STRIDE + 1 for side in pixels.shape[2:])
        return np.full((1, 5, rows, columns), -9.0, np.float32)

    image = np.zeros((24, 24, 3), np.uint8)  # two levels
    faces = Cascade(pnet, answer_each(), answer_each(), SETTINGS, pnet_callers=2).find(image)
    assert len(faces) == 0


class EveryWindow:
    """A P-Net that proposes every window, and nets that pass every crop and count them."""

    def __init__(self) -> None:
        self.crops: dict[int, int] = {24: 0, 48: 0}
        self.batches: list[int] = []

    @property
    def largest_batch(self) -> int:
        return max(self.batches)

    def propose(self, pixels: Any) -> Any:
        rows, columns = ((side - 12) // STRIDE + 1 for side in pixels.shape[2:])
        maps = np.zeros((1, 5, rows, columns), np.float32)
        maps[0, 0] = np.linspace(3, 1, rows * columns).reshape(rows, columns)
        return maps

    def judge(self, pixels: Any) -> Any:
        self.crops[pixels.shape[2]] += len(pixels)
        self.batches.append(len(pixels))
        return np.tile(np.float32([9.0] + [0.0] * 14), (len(pixels), 1))[:, :, None, None]

    def find(self, search: str) -> int:
        nets = (self.propose, self.judge, self.judge)
        settings = CascadeSettings(min_face_size=12, factor=0.01)  # one level
        return len(Cascade(*nets, settings).find(np.zeros((300, 300, 3), np.uint8), search))


def test_a_picture_full_of_faces_is_bounded_work_where_one_face_is_wanted() -> None:
    limits = LIMITS["largest"]
    assert limits is not None
    nets = EveryWindow()
    assert 0 < nets.find("largest") <= limits.onet
    assert nets.crops[24] <= limits.rnet
    assert nets.crops[48] <= limits.onet
    assert nets.largest_batch <= BATCH


@pytest.mark.parametrize(
    ("side", "count", "small_calls", "batches"),
    [
        (48, 8, True, [8]),
        (48, 17, True, [8, 8, 1]),
        (24, 32, True, [32]),
        (24, 70, True, [32, 32, 6]),
        (48, 257, False, [256, 1]),
    ],
)
def test_a_network_gets_few_crops_at_a_time(
    side: int, count: int, small_calls: bool, batches: list[int]
) -> None:
    found: list[int] = []

    def net(crops: FloatArray) -> FloatArray:
        found.append(len(crops))
        return np.zeros((len(crops), 5, 1, 1), np.float32)

    boxes = np.tile(np.float32([10, 10, 40, 40]), (count, 1))
    table = AreaTable(np.zeros((60, 60, 3), np.uint8))
    BoxNet(net, table, side, in_rounds=False, small_calls=small_calls)(boxes)
    assert found == batches


def test_a_box_of_an_earlier_round_is_not_asked_about_again() -> None:
    asked: list[int] = []

    def net(crops: FloatArray) -> FloatArray:  # answers with the brightness of the crop
        asked.append(len(crops))
        return crops.mean(axis=(1, 2, 3), keepdims=True)

    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    table = AreaTable(picture)
    one, two, three = ([10.0, 10, 40, 40], [5.0, 8, 30, 33], [20.0, 20, 44, 44])
    of_rounds = BoxNet(net, table, 24, in_rounds=True, small_calls=True)
    _, first = of_rounds(np.array([one, two], np.float32))
    _, second = of_rounds(np.array([two, three, one], np.float32))
    assert asked == [2, 1]
    np.testing.assert_array_equal(second[[2, 0]], first)
    at_once = BoxNet(net, table, 24, in_rounds=False, small_calls=True)
    _, anew = at_once(np.array([two, three, one], np.float32))
    np.testing.assert_array_equal(second, anew)
    _, third = of_rounds(np.array([one], np.float32))
    assert asked == [2, 1, 3]  # and none for boxes that are all known
    np.testing.assert_array_equal(third, first[:1])


def test_all_faces_of_such_a_picture_are_found_where_all_are_wanted() -> None:
    nets = EveryWindow()
    assert nets.find("all") > 1000
    assert nets.crops[24] > 1000
    assert nets.largest_batch <= BATCH


def test_the_windows_with_the_highest_scores_go_on() -> None:
    nets = EveryWindow()
    faces = Cascade(
        nets.propose, nets.judge, nets.judge, CascadeSettings(min_face_size=12, factor=0.01)
    ).find(np.zeros((300, 300, 3), np.uint8), "largest")
    assert faces.boxes_xyxy[:, 1].max() < 30  # the scores fall from the top to the bottom
