"""How long a name must wait: pure arithmetic over moments, however the clocks are set."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import VaultDamaged
from mien.vault.limits.attempts import (
    FIRST_WAIT_S,
    FREE_FAILURES,
    LONGEST_WAIT_S,
    AttemptCount,
    Moment,
    describe_wait,
    moment_now,
)

NOON = Moment(wall_s=1_800_000_000.0, boot_id="boot one", boot_s=1000.0)

seconds = st.floats(0, 1e7, allow_nan=False)
moments = st.builds(
    Moment,
    wall_s=st.floats(-1e10, 1e11, allow_nan=False),
    boot_id=st.sampled_from(["boot one", "boot two", ""]),
    boot_s=seconds,
)


def later(moment: Moment, by_s: float) -> Moment:
    return Moment(moment.wall_s + by_s, moment.boot_id, moment.boot_s + by_s)


def after(failures: int, now: Moment = NOON) -> AttemptCount:
    attempts = AttemptCount.none(now)
    for _ in range(failures):
        attempts = attempts.after_failure(now, free_failures=FREE_FAILURES)
    return attempts


@pytest.mark.parametrize(
    ("failures", "wait_s"),
    [(0, 0), (1, 0), (4, 0), (5, 30), (6, 60), (7, 120), (10, 960), (16, 61_440), (17, 86_400)],
)
def test_the_fifth_failure_costs_thirty_seconds_and_each_more_doubles_the_wait(
    failures: int, wait_s: float
) -> None:
    assert after(failures).wait_s == wait_s


def test_a_thousand_failures_cost_a_day_without_an_overflow() -> None:
    assert after(1000).wait_s == LONGEST_WAIT_S


def test_the_wait_is_reduced_by_the_time_that_passed() -> None:
    waiting = after(5)
    assert waiting.advanced_to(later(NOON, 12)).wait_s == 18
    assert waiting.advanced_to(later(NOON, 30)).wait_s == 0
    assert waiting.advanced_to(later(NOON, 12)).advanced_to(later(NOON, 20)).wait_s == 10


def test_setting_the_wall_clock_changes_no_wait_within_one_boot() -> None:
    waiting = after(5)
    for wall_s in (0.0, 9e9):
        assert waiting.advanced_to(Moment(wall_s, "boot one", 1010.0)).wait_s == 20


def test_after_a_reboot_only_the_time_since_the_boot_counts() -> None:
    waiting = after(5)
    assert waiting.advanced_to(Moment(NOON.wall_s + 10, "boot two", 5.0)).wait_s == 25
    assert waiting.advanced_to(Moment(NOON.wall_s + 86_400, "boot two", 5.0)).wait_s == 25
    assert waiting.advanced_to(Moment(NOON.wall_s - 1e6, "boot two", 5.0)).wait_s == 30


def test_a_clock_set_back_and_corrected_shortens_no_wait_where_boots_have_no_id() -> None:
    waiting = after(5, Moment(NOON.wall_s, "", 1000.0))
    waiting = waiting.advanced_to(Moment(NOON.wall_s - 3600, "", 1000.0))
    waiting = waiting.advanced_to(Moment(NOON.wall_s, "", 1001.0))
    assert waiting.wait_s in (29, 30)


@given(
    failures=st.integers(5, 17),
    named=st.booleans(),
    steps=st.lists(st.tuples(seconds, st.booleans(), st.floats(-1e7, 1e7)), max_size=12),
)
def test_on_one_machine_no_clock_and_no_reboot_makes_a_wait_shorter(
    failures: int, named: bool, steps: list[tuple[float, bool, float]]
) -> None:
    """Each step: real seconds, whether it is booted meanwhile, and how the wall clock is set."""
    now = NOON if named else Moment(NOON.wall_s, "", NOON.boot_s)
    attempts = start = after(failures, now)
    boot, boot_s, passed_s = 0, now.boot_s, 0.0
    for step_s, reboots, wall_off_s in steps:
        passed_s += step_s
        boot += reboots
        boot_s = step_s / 2 if reboots else boot_s + step_s  # it was off for half of it
        wall_s = NOON.wall_s + passed_s + wall_off_s
        now = Moment(wall_s, f"boot {boot}" if named and boot else now.boot_id, boot_s)
        attempts = attempts.advanced_to(now)
        assert attempts.wait_s >= start.wait_s - passed_s - 1e-3


@given(ahead_s=st.floats(0, 1e4), looks=st.lists(st.sampled_from("AB"), max_size=40))
def test_a_machine_whose_clock_is_ahead_shortens_a_wait_once_only(
    ahead_s: float, looks: list[str]
) -> None:
    """Two machines with one vault and their own clocks, while no time passes."""
    clocks = {"A": NOON, "B": Moment(NOON.wall_s + ahead_s, "boot of B", 1e6)}
    attempts, given_s = after(17), 0.0
    for machine in looks:
        before = attempts.wait_s
        attempts = attempts.advanced_to(clocks[machine])
        given_s += before - attempts.wait_s
    assert given_s <= ahead_s + 1e-3


@given(failures=st.integers(0, 40), seen=st.lists(moments, max_size=8))
def test_no_order_of_moments_makes_a_wait_longer_or_negative(
    failures: int, seen: list[Moment]
) -> None:
    attempts = after(failures)
    for moment in seen:
        before = attempts.wait_s
        attempts = attempts.advanced_to(moment)
        assert 0.0 <= attempts.wait_s <= before
        assert attempts.failures == failures  # time heals the wait and not the count


@given(failures=st.integers(5, 40), steps=st.lists(st.floats(0, 1000), max_size=8))
def test_no_sequence_of_updates_makes_a_wait_shorter(failures: int, steps: list[float]) -> None:
    attempts = start = after(failures)
    moment, passed = NOON, 0.0
    for step in steps:
        moment, passed = later(moment, step), passed + step
        attempts = attempts.advanced_to(moment)
    assert attempts.wait_s == pytest.approx(max(0.0, start.wait_s - passed), abs=1e-3)


@given(
    clocks=st.lists(st.tuples(st.floats(-1e9, 1e9), st.booleans()), min_size=6, max_size=40),
)
def test_however_the_clocks_are_set_a_sixth_attempt_needs_thirty_seconds(
    clocks: list[tuple[float, bool]],
) -> None:
    """An attacker who sets the wall clock back and forth, within one boot, at one moment."""
    attempts, made = AttemptCount.none(NOON), 0
    for wall_s, _ in clocks:
        now = Moment(NOON.wall_s + wall_s, "boot one", NOON.boot_s)  # no time passes
        attempts = attempts.advanced_to(now)
        if attempts.wait_s > 0:
            continue
        made += 1
        attempts = attempts.after_failure(now, free_failures=FREE_FAILURES)
    assert made <= FREE_FAILURES
    assert attempts.wait_s == (FIRST_WAIT_S if made == FREE_FAILURES else 0)


def test_a_refund_removes_the_failure_and_its_wait() -> None:
    charged = after(5)
    back = charged.after_refund(NOON, charged=5, free_failures=FREE_FAILURES)
    assert (back.failures, back.wait_s) == (4, 0.0)


def test_a_late_refund_does_not_end_the_wait_of_another_attempt() -> None:
    """Two attempts at once, the fourth and the fifth; the fourth is refunded, the fifth failed."""
    both = after(5)
    back = both.after_refund(NOON, charged=4, free_failures=FREE_FAILURES)
    assert back.failures == 4
    again = back.after_failure(NOON, free_failures=FREE_FAILURES)
    assert again.wait_s == FIRST_WAIT_S


def test_a_day_without_failures_clears_the_count_where_that_is_asked_for() -> None:
    failed = after(3)
    assert failed.advanced_to(later(NOON, 86_399), forget_after_s=86_400).failures == 3
    cleared = failed.advanced_to(later(NOON, 86_400), forget_after_s=86_400)
    assert (cleared.failures, cleared.wait_s) == (0, 0.0)
    assert failed.advanced_to(later(NOON, 1e9)).failures == 3
    off_at_night = Moment(NOON.wall_s + 86_400, "boot two", 60.0)
    assert failed.advanced_to(off_at_night, forget_after_s=86_400).failures == 0


def test_a_refund_of_the_last_of_many_failures_removes_the_whole_wait() -> None:
    back = after(7).after_refund(NOON, charged=7, free_failures=FREE_FAILURES)
    assert (back.failures, back.wait_s) == (6, 0.0)


def test_a_refund_of_no_failures_stays_at_none() -> None:
    back = AttemptCount.none(NOON).after_refund(NOON, charged=1, free_failures=FREE_FAILURES)
    assert (back.failures, back.wait_s) == (0, 0.0)


def test_within_one_boot_a_wall_clock_set_a_day_ahead_clears_no_count() -> None:
    ahead = Moment(NOON.wall_s + 90_000, NOON.boot_id, NOON.boot_s + 60)
    assert after(3).advanced_to(ahead, forget_after_s=86_400).failures == 3


@pytest.mark.parametrize("field", ["wall_s", "boot_s"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_moment_must_be_finite(field: str, value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        replace(NOON, **{field: value})


def test_the_present_moment_is_read_from_the_clocks_of_this_machine() -> None:
    before, now, after_ = time.time(), moment_now(), time.time()
    assert before <= now.wall_s <= after_
    assert now.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert now.boot_s <= moment_now().boot_s
    assert now.boot_s <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_without_a_boot_id_it_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.vault.limits.attempts._BOOT_ID", tmp_path / "absent")
    assert moment_now().boot_id == ""


def test_a_count_is_stored_in_the_same_bytes_in_every_version() -> None:
    assert AttemptCount(3, 1.5, NOON).to_bytes() == (
        b'{"as_of": {"boot_id": "boot one", "boot_s": 1000.0, "wall_s": 1800000000.0}, '
        b'"failures": 3, "wait_s": 1.5}'
    )


def test_where_boots_have_no_id_the_slower_clock_counts() -> None:
    waiting = after(5, Moment(NOON.wall_s, "", 1000.0))
    assert waiting.advanced_to(Moment(NOON.wall_s + 20, "", 1005.0)).wait_s == 25
    assert waiting.advanced_to(Moment(NOON.wall_s + 5, "", 1020.0)).wait_s == 25


def test_a_wait_that_ended_is_stored_as_ended_where_counts_are_cleared() -> None:
    ended = after(5).advanced_to(later(NOON, 60), forget_after_s=86_400)
    assert (ended.failures, ended.wait_s, ended.as_of) == (5, 0.0, later(NOON, 60))


def test_a_reboot_within_the_day_clears_no_count() -> None:
    rebooted = Moment(NOON.wall_s + 3600, "boot two", 60.0)
    assert after(3).advanced_to(rebooted, forget_after_s=86_400).failures == 3


def test_the_highest_wall_clock_is_kept_when_the_clock_is_set_back() -> None:
    back = Moment(NOON.wall_s - 5000, NOON.boot_id, NOON.boot_s + 100)
    assert after(5).advanced_to(back).as_of.wall_s == NOON.wall_s + 100


def test_a_late_refund_shortens_the_wait_to_that_of_the_remaining_failures() -> None:
    six = after(6)
    assert six.wait_s == 2 * FIRST_WAIT_S
    back = six.after_refund(NOON, charged=5, free_failures=FREE_FAILURES)
    assert (back.failures, back.wait_s) == (5, FIRST_WAIT_S)


def test_updates_do_not_restart_the_day_without_failures() -> None:
    failed = after(3)
    for hours in (8, 16, 23):
        failed = failed.advanced_to(later(NOON, hours * 3600), forget_after_s=86_400)
        assert failed.failures == 3
    assert failed.advanced_to(later(NOON, 86_400), forget_after_s=86_400).failures == 0


def test_a_day_without_failures_does_not_end_a_wait() -> None:
    off_at_night = Moment(NOON.wall_s + 86_400, "boot two", 10.0)
    seen = after(5).advanced_to(off_at_night, forget_after_s=86_400)
    assert (seen.failures, seen.wait_s) == (5, 20)


@given(failures=st.integers(0, 10**6), wait_s=st.floats(0, LONGEST_WAIT_S), now=moments)
def test_a_packed_count_is_read_as_it_was_written(
    failures: int, wait_s: float, now: Moment
) -> None:
    attempts = AttemptCount(failures, wait_s, now)
    assert AttemptCount.from_bytes(attempts.to_bytes()) == attempts


def test_the_longest_wait_can_be_stored() -> None:
    assert AttemptCount.from_bytes(after(1000).to_bytes()).wait_s == LONGEST_WAIT_S


@pytest.mark.parametrize(
    "packed",
    [
        b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, after(5).to_bytes() + b" ",
        after(5).to_bytes().replace(b"30.0", b"-1.0"), after(5).to_bytes().replace(b"30.0", b"1e9"),
        after(5).to_bytes().replace(b"30.0", b"NaN"),
        after(5).to_bytes().replace(b'"failures": 5', b'"failures": -5'),
    ],
)  # fmt: skip
def test_anything_else_is_damage(packed: bytes) -> None:
    with pytest.raises(VaultDamaged, match="count of attempts"):
        AttemptCount.from_bytes(packed)


@pytest.mark.parametrize(
    ("wait_s", "words"),
    [
        (0.2, "try again in 1 second"), (29.1, "try again in 30 seconds"),
        (90, "try again in 90 seconds"), (91, "try again in 2 minutes"),
        (3600, "try again in 60 minutes"), (5400, "try again in 90 minutes"),
        (5401, "try again in 2 hours"), (86_400, "try again in 24 hours"),
    ],
)  # fmt: skip
def test_the_wait_is_described_rounded_up(wait_s: float, words: str) -> None:
    assert describe_wait(wait_s) == words
