"""The details that a result depends on, one by one, on nets whose answers are made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mien.faces.detect import STRIDE, Cascade, CascadeSettings, pyramid_scales

NOTHING = np.zeros((20, 20, 3), np.uint8)


class Recorder:
    """A net that answers the same everywhere and remembers what it was asked."""

    def __init__(self, *answers: float, per_pixel: bool = False) -> None:
        self.answers, self.per_pixel = np.array(answers, np.float32), per_pixel
        self.asked: list[tuple[int, ...]] = []

    def __call__(self, pixels: Any) -> Any:
        self.asked.append(pixels.shape)
        shape = (len(pixels), len(self.answers), 1, 1)
        if self.per_pixel:
            rows, columns = ((side - 12) // STRIDE + 1 for side in pixels.shape[2:])
            shape = (len(pixels), len(self.answers), rows, columns)
        return np.broadcast_to(self.answers.reshape(1, -1, 1, 1), shape)


def test_p_net_keeps_a_score_at_its_threshold_and_r_net_does_not() -> None:
    # a logit of 0 is a probability of one half
    half = CascadeSettings(thresholds=(0.5, 0.5, 0.5), min_face_size=12)
    pnet, rnet, onet = Recorder(*[0.0] * 5, per_pixel=True), Recorder(*[0.0] * 5), Recorder()
    faces = Cascade(pnet, rnet, onet, half).find(np.zeros((12, 12, 3), np.uint8))
    assert len(faces) == 0
    assert rnet.asked == [(1, 3, 24, 24)]
    assert onet.asked == []


def test_o_net_drops_a_score_at_its_threshold() -> None:
    half = CascadeSettings(thresholds=(0.5, 0.5, 0.5), min_face_size=12)
    for logit, found in ((0.0, 0), (0.01, 1)):
        pnet, rnet = Recorder(*[0.0] * 5, per_pixel=True), Recorder(1, *[0.0] * 4)
        onet = Recorder(logit, *[0.0] * 14)
        faces = Cascade(pnet, rnet, onet, half).find(np.zeros((12, 12, 3), np.uint8))
        assert onet.asked == [(1, 3, 48, 48)]
        assert len(faces) == found


def test_a_level_is_one_pixel_larger_than_the_scale_says() -> None:
    pnet = Recorder(-9.0, 0, 0, 0, 0, per_pixel=True)
    never = Recorder()
    Cascade(pnet, never, never, CascadeSettings()).find(np.zeros((100, 60, 3), np.uint8))
    scales = pyramid_scales(100, 60, CascadeSettings())
    assert pnet.asked == [(1, 3, int(100 * s + 1), int(60 * s + 1)) for s in scales]
    assert pnet.asked[0] == (1, 3, 61, 37)


def test_a_window_has_the_floored_rectangle_of_the_reference() -> None:
    settings = CascadeSettings(min_face_size=20)
    pnet = Recorder(9.0, 0, 0, 0, 0, per_pixel=True)
    rnet, onet = Recorder(1, 0, 0, 0, 0), Recorder(1, *[0.0] * 14)
    # one level, one window: floor(1 / 0.6), floor(12 / 0.6)
    faces = Cascade(pnet, rnet, onet, settings).find(NOTHING)
    assert pnet.asked == [(1, 3, 13, 13)]
    np.testing.assert_array_equal(faces.boxes_xyxy, [[1, 1, 20, 20]])
    np.testing.assert_array_equal(faces.points_xy, np.zeros((1, 5, 2)))  # 0 * width + left - 1


def test_r_net_and_o_net_offsets_count_sides_plus_one_and_final_boxes_are_not_squared() -> None:
    pnet = Recorder(9.0, 0, 0, 0, 0, per_pixel=True)
    rnet = Recorder(1, 0, 0, 0, 0)
    onet = Recorder(1, -0.1, 0, 0.2, 0.05, *[0.5] * 5, *[1.0] * 5)
    faces = Cascade(pnet, rnet, onet, CascadeSettings()).find(NOTHING)
    # the box is 1..20, so a share of one is 20 px; it reaches past the picture and is no square
    np.testing.assert_allclose(faces.boxes_xyxy, [[-1, 1, 24, 21]], atol=1e-5)
    np.testing.assert_allclose(faces.points_xy, [[[10, 20]] * 5], atol=1e-5)


def test_p_net_s_offsets_count_sides_without_one_and_boxes_are_squared() -> None:
    pnet = Recorder(9.0, 0, 0.0, 0, 1.0, per_pixel=True)  # lower edge one height further down
    rnet, onet = Recorder(1, 0, 0, 0, 0), Recorder(1, *[0.0] * 14)
    faces = Cascade(pnet, rnet, onet, CascadeSettings()).find(NOTHING)
    # 1..20 by 1..39, squared about its centre: width 38 around 10.5
    np.testing.assert_allclose(faces.boxes_xyxy, [[-8.5, 1, 29.5, 39]], atol=1e-5)


def test_only_a_face_s_final_box_may_reach_past_the_picture_and_crops_may_not() -> None:
    pnet = Recorder(9.0, -2, -2, 2, 2, per_pixel=True)  # far past every edge
    rnet, onet = Recorder(1, 0, 0, 0, 0), Recorder(1, *[0.0] * 14)
    faces = Cascade(pnet, rnet, onet, CascadeSettings()).find(NOTHING)
    assert rnet.asked == [(1, 3, 24, 24)]
    np.testing.assert_allclose(faces.boxes_xyxy, [[-37, -37, 58, 58]])


@pytest.mark.parametrize(("small_calls", "most"), [(True, (32, 8)), (False, (256, 256))])
def test_r_net_and_o_net_get_a_limited_number_of_crops_at_a_time(
    small_calls: bool, most: tuple[int, int]
) -> None:
    pnet = Recorder(9.0, 0, 0, 0, 0, per_pixel=True)
    rnet, onet = Recorder(1, 0, 0, 0, 0), Recorder(-1, *[0.0] * 14)
    settings = CascadeSettings(min_face_size=12)
    cascade = Cascade(pnet, rnet, onet, settings, small_calls=small_calls)
    cascade.with_settings(settings).find(np.zeros((100, 100, 3), np.uint8))
    for net, at_most in zip((rnet, onet), most, strict=True):
        batches = [shape[0] for shape in net.asked]
        assert len(batches) > 1
        assert set(batches[:-1]) == {at_most}
        assert 1 <= batches[-1] <= at_most


def test_p_net_gets_a_large_level_in_strips_of_limited_size() -> None:
    pnet = Recorder(-9.0, 0, 0, 0, 0, per_pixel=True)
    Cascade(pnet, Recorder(), Recorder(), CascadeSettings()).find(
        np.zeros((1600, 1600, 3), np.uint8)
    )
    areas = [height * width for _, _, height, width in pnet.asked]
    assert 500_000 < max(areas) < 620_000  # the finest level has 961 x 961 pixels


def test_a_box_that_covers_no_pixel_is_dropped() -> None:
    pnet = Recorder(9.0, 5, 0, 5, 0, per_pixel=True)  # five widths to the right of the picture
    rnet, onet = Recorder(1, 0, 0, 0, 0), Recorder(1, *[0.0] * 14)
    assert len(Cascade(pnet, rnet, onet, CascadeSettings()).find(NOTHING)) == 0
    assert rnet.asked == []


def test_scores_are_probabilities_even_for_extreme_logits() -> None:
    for logit, score in ((200.0, 1.0), (np.log(9.0), 0.9), (1.0, 1 / (1 + np.exp(-1.0)))):
        pnet = Recorder(9.0, 0, 0, 0, 0, per_pixel=True)
        nets = (pnet, Recorder(9.0, 0, 0, 0, 0), Recorder(logit, *[0.0] * 14))
        faces = Cascade(*nets, CascadeSettings()).find(NOTHING)
        assert faces.scores.tolist() == [pytest.approx(score)]
        assert faces.scores.dtype == np.float32


# --- several threads ----------------------------------------------------------------------


@pytest.mark.parametrize("callers", [1, 2, 3, 50])
def test_any_number_of_threads_searches_every_level_once(callers: int) -> None:
    pnet = Recorder(-9.0, 0, 0, 0, 0, per_pixel=True)
    never = Recorder()
    settings = CascadeSettings()
    faces = Cascade(pnet, never, never, settings, pnet_callers=callers).find(
        np.zeros((150, 130, 3), np.uint8)
    )
    assert len(faces) == 0
    scales = pyramid_scales(150, 130, settings)
    assert sorted(pnet.asked) == sorted((1, 3, int(150 * s + 1), int(130 * s + 1)) for s in scales)


def test_one_thread_and_two_find_the_same(cascade: Cascade, crowd: Any) -> None:
    nets = (cascade._pnet, cascade._rnet, cascade._onet)
    one, two = (Cascade(*nets, CascadeSettings(), pnet_callers=n).find(crowd) for n in (1, 2))
    np.testing.assert_array_equal(one.boxes_xyxy, two.boxes_xyxy)
    np.testing.assert_array_equal(one.scores, two.scores)


def test_an_error_on_another_thread_is_raised() -> None:
    def failing(pixels: Any) -> Any:
        raise RuntimeError("out of memory")

    never = Recorder()
    cascade = Cascade(failing, never, never, CascadeSettings(), pnet_callers=2)
    with pytest.raises(RuntimeError, match="out of memory"):
        cascade.find(np.zeros((100, 100, 3), np.uint8))
