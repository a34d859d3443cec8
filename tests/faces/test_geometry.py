"""Boxes and points: hand-made numbers first, then what holds for all of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.faces.geometry import (
    apply_offsets,
    box_areas,
    cut_around,
    make_square,
    similarity_transform,
    suppress_by_smaller,
    suppress_by_union,
)
from mien.results import Face, FloatArray

SUPPRESSIONS = [suppress_by_union, suppress_by_smaller]
NO_BOXES = np.zeros((0, 4), np.float32)
NO_SCORES = np.zeros(0, np.float32)


def boxes(*rows: tuple[float, float, float, float]) -> FloatArray:
    return np.array(rows, np.float32).reshape(-1, 4)


def scores(*values: float) -> FloatArray:
    return np.array(values, np.float32)


@st.composite
def scored_boxes(draw: st.DrawFn) -> tuple[FloatArray, FloatArray]:
    """Up to 30 boxes in a crowd of 60 px, with scores that all differ."""
    corner = st.tuples(*[st.integers(0, 60)] * 2)
    sides = st.tuples(*[st.integers(0, 40)] * 2)
    drawn = draw(st.lists(st.tuples(corner, sides), max_size=30))
    rows = [(x, y, x + w, y + h) for (x, y), (w, h) in drawn]
    order = draw(st.permutations(range(len(rows))))
    return boxes(*rows), np.array(order, np.float32) / 32


def overlap(a: FloatArray, b: FloatArray, *, extra: float, by_smaller: bool) -> float:
    """The share that decides, said slowly for one pair."""
    width = max(0.0, float(min(a[2], b[2]) - max(a[0], b[0])) + extra)
    height = max(0.0, float(min(a[3], b[3]) - max(a[1], b[1])) + extra)
    areas = [(float(c[2] - c[0]) + extra) * (float(c[3] - c[1]) + extra) for c in (a, b)]
    base = min(areas) if by_smaller else sum(areas) - width * height
    return width * height / base if base > 0 else 0.0


# --- area --------------------------------------------------------------------------------


def test_area_is_width_times_height() -> None:
    np.testing.assert_array_equal(box_areas(boxes((1, 2, 4, 7), (3, 3, 3, 9))), [15, 0])
    assert box_areas(NO_BOXES).shape == (0,)


# --- suppression --------------------------------------------------------------------------


@pytest.mark.parametrize("suppress", SUPPRESSIONS)
def test_suppression_of_nothing_keeps_nothing(suppress: object) -> None:
    kept = suppress(NO_BOXES, NO_SCORES, 0.5)  # type: ignore[operator]
    assert kept.shape == (0,)
    assert np.issubdtype(kept.dtype, np.integer)


def test_the_box_with_the_higher_score_of_two_overlapping_ones_is_kept() -> None:
    two = boxes((0, 0, 10, 10), (1, 0, 11, 10))  # IoU 90 / 110
    assert suppress_by_union(two, scores(0.6, 0.9), 0.5).tolist() == [1]


def test_kept_rows_come_best_score_first() -> None:
    apart = boxes((0, 0, 5, 5), (20, 0, 25, 5), (40, 0, 45, 5))
    for suppress in SUPPRESSIONS:
        assert suppress(apart, scores(0.2, 0.9, 0.5), 0.5).tolist() == [1, 2, 0]


def test_a_box_that_overlaps_by_exactly_the_limit_is_kept() -> None:
    two = boxes((0, 0, 10, 10), (0, 0, 10, 5))  # IoU 0.5
    assert suppress_by_union(two, scores(0.9, 0.8), 0.5).tolist() == [0, 1]
    assert suppress_by_union(two, scores(0.9, 0.8), 0.49).tolist() == [0]


def test_a_suppressed_box_suppresses_no_other() -> None:
    chain = boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))  # neighbours 60 / 140
    assert suppress_by_union(chain, scores(0.9, 0.8, 0.7), 0.4).tolist() == [0, 2]


def test_of_nested_boxes_union_keeps_both_and_the_smaller_area_keeps_one() -> None:
    nested = boxes((0, 0, 30, 30), (10, 10, 20, 20))
    assert suppress_by_union(nested, scores(0.9, 0.8), 0.7).tolist() == [0, 1]
    assert suppress_by_smaller(nested, scores(0.9, 0.8), 0.7).tolist() == [0]


def test_only_the_last_suppression_counts_sides_with_plus_one() -> None:
    # columns 0..3 and 2..5: without +1 a third of the union, with +1 half of the smaller
    two = boxes((0, 0, 3, 9), (2, 0, 5, 9))
    assert suppress_by_smaller(two, scores(0.9, 0.8), 0.49).tolist() == [0]
    assert suppress_by_smaller(two, scores(0.9, 0.8), 0.51).tolist() == [0, 1]
    assert suppress_by_union(two, scores(0.9, 0.8), 0.21).tolist() == [0, 1]  # 9 / 45
    assert suppress_by_union(two, scores(0.9, 0.8), 0.19).tolist() == [0]


def test_of_equal_scores_the_earlier_row_wins() -> None:
    # two equal boxes at each of 200 places, in many rows: an unstable sort would mix them
    pairs = boxes(*((20 * place, 0, 20 * place + 10, 10) for place in range(200) for _ in "ab"))
    values = np.array([place * 7 % 200 for place in range(200) for _ in "ab"], np.float32)
    for suppress in SUPPRESSIONS:
        kept = suppress(pairs, values, 0.5)
        assert sorted(kept.tolist()) == list(range(0, 400, 2))


@pytest.mark.parametrize("suppress", SUPPRESSIONS)
def test_a_box_with_exchanged_edges_suppresses_no_other(suppress: object) -> None:
    pair = boxes((30, 0, 20, 10), (0, 0, 10, 10))  # right edge left of the left edge
    assert suppress(pair, scores(0.9, 0.8), 0.5).tolist() == [0, 1]  # type: ignore[operator]


@given(scored_boxes(), st.floats(0.05, 0.95), st.booleans())
def test_kept_boxes_do_not_overlap_and_dropped_boxes_overlap_a_better_one(
    drawn: tuple[FloatArray, FloatArray], limit: float, by_smaller: bool
) -> None:
    rows, values = drawn
    suppress = suppress_by_smaller if by_smaller else suppress_by_union
    extra = 1.0 if by_smaller else 0.0
    kept = suppress(rows, values, limit).tolist()

    assert len(set(kept)) == len(kept)
    assert set(kept) <= set(range(len(rows)))
    assert not len(rows) or kept[0] == int(np.argmax(values))
    assert np.all(np.diff(values[kept]) < 0)

    def share(a: int, b: int) -> float:
        return overlap(rows[a], rows[b], extra=extra, by_smaller=by_smaller)

    for at, row in enumerate(kept):
        assert all(share(row, other) <= limit + 1e-6 for other in kept[:at])
    for row in set(range(len(rows))) - set(kept):
        better = [other for other in kept if values[other] > values[row]]
        assert any(share(row, other) > limit - 1e-6 for other in better)


@given(scored_boxes(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter_when_scores_differ(
    drawn: tuple[FloatArray, FloatArray], shuffler: object
) -> None:
    rows, values = drawn
    order = list(range(len(rows)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    for suppress in SUPPRESSIONS:
        shuffled = suppress(rows[order], values[order], 0.5)
        assert [order[row] for row in shuffled] == suppress(rows, values, 0.5).tolist()


def one_by_one(
    rows: FloatArray, values: FloatArray, limit: float, extra: float, *, by_smaller: bool
) -> list[int]:
    """The rows that are kept, said slowly: one after the other, in float32."""
    kept: list[int] = []
    one, zero = np.float32(extra), np.float32(0)
    for row in np.argsort(-values, kind="stable").tolist():
        is_covered = False
        for better in kept:
            a, b = rows[better], rows[row]
            width = max(zero, min(a[2], b[2]) - max(a[0], b[0]) + one)
            height = max(zero, min(a[3], b[3]) - max(a[1], b[1]) + one)
            areas = [max(c[2] - c[0] + one, zero) * max(c[3] - c[1] + one, zero) for c in (a, b)]
            base = min(areas) if by_smaller else areas[0] + areas[1] - width * height
            is_covered |= bool(width * height > np.float32(limit) * base)
        if not is_covered:
            kept.append(row)
    return kept


@pytest.mark.parametrize("count", [7, 64, 255, 256, 257, 600])  # 256 are compared at once
def test_crowds_of_boxes_are_suppressed_as_one_by_one(count: int) -> None:
    random = np.random.default_rng(count)
    corner = random.integers(0, 150, (count, 2))
    rows = np.concatenate([corner, corner + random.integers(-2, 40, (count, 2))], axis=1)
    crowd = rows.astype(np.float32)
    values = random.integers(0, count // 2, count).astype(np.float32)  # many are equal
    for limit in (0.5, 0.7):
        union = one_by_one(crowd, values, limit, 0.0, by_smaller=False)
        assert suppress_by_union(crowd, values, limit).tolist() == union
        smaller = one_by_one(crowd, values, limit, 1.0, by_smaller=True)
        assert suppress_by_smaller(crowd, values, limit).tolist() == smaller


# --- squaring and shifting ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((0, 0, 10, 20), (-5, 0, 15, 20)),
        ((0, 0, 20, 10), (0, -5, 20, 15)),
        ((3, 4, 13, 14), (3, 4, 13, 14)),
        ((0, 0, 1, 2), (-0.5, 0, 1.5, 2)),
    ],
)
def test_squaring_grows_the_shorter_side_about_the_centre(
    box: tuple[float, ...], square: tuple[float, ...]
) -> None:
    np.testing.assert_array_equal(make_square(boxes(box)), boxes(square))


def test_squaring_and_shifting_nothing_gives_nothing() -> None:
    assert make_square(NO_BOXES).shape == (0, 4)
    assert apply_offsets(NO_BOXES, NO_BOXES, extra=1.0).shape == (0, 4)


def test_offsets_are_shares_of_width_and_height() -> None:
    offsets = np.array([[0.1, 0.2, -0.1, -0.2]], np.float32)
    moved = apply_offsets(boxes((10, 20, 20, 40)), offsets, extra=0.0)
    np.testing.assert_allclose(moved, [[11, 24, 19, 36]], rtol=1e-6)


def test_offsets_may_be_shares_of_the_sides_plus_one() -> None:
    offsets = np.array([[0.1, 0.2, -0.1, -0.2]], np.float32)
    moved = apply_offsets(boxes((10, 20, 19, 39)), offsets, extra=1.0)
    np.testing.assert_allclose(moved, [[11, 24, 18, 35]], rtol=1e-6)


def test_boxes_stay_float32() -> None:
    some = boxes((0, 0, 3, 5))
    assert make_square(some).dtype == apply_offsets(some, some, extra=1.0).dtype == np.float32


# --- similarity transform -----------------------------------------------------------------

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)


def applied(matrix: FloatArray, points: FloatArray) -> npt.NDArray[np.float64]:
    ones = np.ones((len(points), 1))
    return np.concatenate([points, ones], axis=1) @ matrix.T.astype(np.float64)


def turning(angle: float, scale: float, shift: tuple[float, float]) -> npt.NDArray[np.float64]:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def test_a_rotation_by_90_degrees_about_the_corner_is_recovered() -> None:
    target = np.array([[0, 0], [0, 10], [-10, 10], [-10, 0]], np.float32)
    matrix = similarity_transform(SQUARE, target)
    np.testing.assert_allclose(matrix, [[0, -1, 0], [1, 0, 0]], atol=1e-6)
    assert matrix.dtype == np.float32


def test_two_points_are_enough() -> None:
    source, target = SQUARE[:2], np.array([[1, 2], [1, 22]], np.float32)
    np.testing.assert_allclose(
        similarity_transform(source, target), [[0, -2, 1], [2, 0, 2]], atol=1e-6
    )


@given(
    st.floats(-math.pi, math.pi),
    st.floats(0.05, 20),
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_known_turn_scale_and_shift_is_recovered_and_inverted(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    source = np.array([[30, 40], [70, 41], [50, 66], [35, 90], [66, 88]], np.float32)
    known = turning(angle, scale, shift)
    target = applied(known, source)
    forward = similarity_transform(source, target.astype(np.float32))
    back = similarity_transform(target.astype(np.float32), source)
    np.testing.assert_allclose(forward, known, atol=2e-3 * max(1, scale))
    np.testing.assert_allclose(applied(back, applied(forward, source)), source, atol=0.02)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=3, max_size=8))
def test_the_fitted_transform_is_never_a_reflection(drawn: list[tuple[float, float]]) -> None:
    source = np.array(drawn, np.float32)
    target = source * np.array([-1, 1], np.float32) + np.float32(3)  # mirrored on purpose
    try:
        (a, b, _), (c, d, _) = similarity_transform(source, target)
    except ValueError:
        return
    assert (a, b) == (d, -c)
    assert a * d - b * c > 0


def test_noise_is_fitted_in_the_least_squares_sense() -> None:
    rng = np.random.default_rng(5)
    target = SQUARE * 2 + rng.normal(0, 0.5, SQUARE.shape).astype(np.float32)
    best = similarity_transform(SQUARE, target)

    def error(matrix: FloatArray) -> float:
        return float(np.sum((applied(matrix, SQUARE) - target) ** 2))

    for _ in range(50):
        a, b, x, y = rng.normal(0, 0.05, 4)
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert error(other) > error(best) - 1e-4


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (np.full((5, 2), 7.0), np.arange(10.0).reshape(5, 2)),
        (np.arange(10.0).reshape(5, 2), np.full((5, 2), 7.0)),
        (np.array([[0.0, 0.0], [np.nan, 1.0]]), np.eye(2)),
        (np.eye(2), np.array([[0.0, np.inf], [1.0, 1.0]])),
        (np.eye(2), np.array([[0.0, 3e38], [1.0, 1.0]])),
        (SQUARE, SQUARE * [-1, 1]),
        (np.zeros((1, 2)), np.ones((1, 2))),
        (np.zeros((0, 2)), np.zeros((0, 2))),
    ],
    ids=["from one spot", "to one spot", "nan", "inf", "huge", "mirrored square", "one", "none"],
)
def test_points_that_no_transform_fits_are_refused(source: FloatArray, target: FloatArray) -> None:
    with pytest.raises(ValueError, match=r"fits them|at least two points"):
        similarity_transform(source.astype(np.float32), target.astype(np.float32))


@pytest.mark.parametrize(
    ("margin_px", "rows", "columns"),
    [(0, (4, 7), (2, 6)), (1, (3, 8), (1, 7)), (20, (0, 9), (0, 12))],
)
def test_a_cut_around_a_face_has_every_pixel_its_box_touches_and_the_margin(
    margin_px: float, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    photo = np.arange(9 * 12 * 3, dtype=np.uint8).reshape(9, 12, 3)
    face = Face(np.array([2.5, 4.0, 5.5, 6.2], np.float32), np.zeros((5, 2), np.float32), 0.9)
    expected = photo[slice(*rows), slice(*columns)]
    assert np.array_equal(cut_around(photo, face, margin_px), expected)
