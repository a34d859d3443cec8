"""From which frame on a camera is used: hand-made levels of grey stand for frames, 30 a second."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from mien.media.frame import Frame
from mien.media.steady_light import MAX_FRAMES, SteadyLight, when_steady

DAY = (118, 120, 119, 121)


def frame(level: float | tuple[float, float, float], at_s: float = 0.0) -> Frame:
    return Frame(at_s, np.full((16, 16, 3), level, np.uint8))


def used(levels: Sequence[float], *, infrared: bool = False, fps: float = 30.0) -> list[int]:
    """The numbers of the frames that are used, counted from 0."""
    light = SteadyLight(is_infrared=infrared)
    return [n for n, level in enumerate(levels) if light.keeps(frame(level, 100 + n / fps))]


def test_a_camera_that_is_well_lit_at_once_is_used_from_its_second_frame_on() -> None:
    assert used([120, 120, 121, 119]) == [1, 2, 3]


def test_an_exposure_at_work_is_waited_for() -> None:
    #     black, then brighter; 4 % of 112 is 4.5
    assert used([0, 30, 60, 90, 112, 116, 118]) == [5, 6]
    assert used([255, 240, 200, 160, 150, 146]) == [5]


def test_after_it_settled_a_change_of_the_light_leaves_out_no_frame() -> None:
    assert used([120, 120, 60, 20, 200]) == [1, 2, 3, 4]


def test_a_room_too_dark_or_too_bright_is_given_a_second_and_then_used() -> None:
    assert used([10] * 40) == list(range(30 - 1, 40))
    assert used([240] * 12, fps=10.0) == [10, 11]


def test_a_picture_that_flickers_is_used_after_a_second() -> None:
    assert used([100, 120] * 10, fps=10.0) == list(range(10, 20))


def test_a_quick_camera_is_given_as_many_frames_as_a_usual_one() -> None:
    assert used([10] * 40, fps=240.0)[0] == MAX_FRAMES - 1


def test_a_colour_cast_that_settles_is_waited_for_too() -> None:
    light = SteadyLight(is_infrared=False)
    casts = [(100, 120, 140), (106, 120, 134), (112, 120, 128), (114, 120, 126)]
    assert [light.keeps(frame(cast)) for cast in casts] == [False, False, False, True]


def test_noise_of_a_dim_picture_is_steady() -> None:
    assert used([30, 32]) == [1]  # 4 % of 30 would be 1.2
    assert used([30, 33]) == []


# infrared ----------------------------------------------------------------------------------


def test_frames_that_the_lamp_did_not_light_are_left_out() -> None:
    assert used([2, 90, 2, 91, 2, 90, 2], infrared=True) == [3, 5]
    assert used([90, 2, 91, 2, 90], infrared=True) == [2, 4]


def test_an_unlit_frame_in_daylight_is_left_out_too() -> None:
    #     without the lamp 60, with it 120
    assert used([120, 60, 121, 60, 120, 60], infrared=True) == [2, 4]


def test_a_lamp_that_lights_every_third_frame_is_followed() -> None:
    assert used([3, 3, 90, 3, 3, 90, 3, 3, 90], infrared=True) == [5, 8]


def test_a_lamp_that_is_always_on_leaves_out_nothing() -> None:
    assert used([100, 100, 101], infrared=True) == [1, 2]


def test_an_infrared_camera_whose_lamp_never_lights_gives_its_dark_frames_after_a_second() -> None:
    assert used([1, 4] * 8, infrared=True, fps=10.0) == list(range(10, 16))


def test_a_lamp_that_goes_out_is_forgotten_after_four_frames() -> None:
    assert used([100, 100, 40, 40, 40, 40, 40], infrared=True) == [1, 5, 6]


def test_a_colour_camera_keeps_the_dark_frames_that_the_vote_counts() -> None:
    assert used([120, 120, 2, 120]) == [1, 2, 3]


@pytest.mark.parametrize("infrared", [True, False])
def test_times_count_from_the_first_frame_and_the_kind_is_asked_for_after_it(
    infrared: bool,
) -> None:
    asked = []
    frames = (frame(16, 7.0 + n / 8) for n in itertools.count())

    def is_infrared() -> bool:
        asked.append(True)
        return infrared

    steady = when_steady(frames, is_infrared)
    assert asked == []
    assert next(steady).at_s == (0.125 if infrared else 1.0)
    assert asked == [True]
