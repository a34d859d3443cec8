"""Simulate days of attempts at a door: honest owners, and a guesser who spreads over names.

    python benchmarks/attempt_limits.py [--runs 100] [--people 100] [--days 60] [--json]

Uses mien's own counts. Owners try at times drawn evenly over the day; a try is refused with the
given probability, whoever it is, and nobody tries again at once (which is harder for the limits:
a refused owner who tries again clears the failure). "as before": a success takes only its own
charge off the common count, as mien 0.1 did. The guesser never unlocks, tries a random name as
soon as the limits allow, and pauses for a day whenever that gives more tries.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import replace

from figures import Figures, add_json_option
from mien.vault.limits.attempts import (
    FREE_FAILURES,
    GLOBAL_FREE_FAILURES,
    AttemptCount,
    Counts,
    Moment,
)
from mien.vault.limits.counters import FORGET_COMMON_AFTER_S

DAY_S = 86_400.0
SETTINGS = ((100, 0.003), (100, 0.05), (300, 0.02), (1000, 0.003), (1000, 0.05))


class Door:
    """The counts of one door. clears: whether a success clears its name's failures for all."""

    def __init__(self, *, clears: bool) -> None:
        self._clears = clears
        start = AttemptCount.none(moment(0.0))
        self._start, self._common = start, start
        self._own: dict[int, AttemptCount] = {}

    def wait_s(self, name: int, at_s: float) -> float:
        return self._counts(name, at_s).wait_s

    def attempt(self, name: int, at_s: float, *, succeeds: bool) -> bool:
        """False if the limits refuse it."""
        now, before = moment(at_s), self._counts(name, at_s)
        if before.wait_s > 0:
            return False
        counts = charged = before.charged(now)
        if succeeds and self._clears:
            counts = charged.unlocked(now, charged=charged)
        elif succeeds:
            refunded = charged.refunded(now, charged=charged)
            counts = replace(refunded, own=charged.own.after_success(now))
        self._own[name], self._common = counts.own, counts.common
        return True

    def _counts(self, name: int, at_s: float) -> Counts:
        now = moment(at_s)
        own = self._own.get(name, self._start).advanced_to(now)
        return Counts(own, self._common.advanced_to(now, forget_after_s=FORGET_COMMON_AFTER_S))


def moment(at_s: float) -> Moment:
    return Moment(1_800_000_000.0 + at_s, "boot", 1000.0 + at_s)


def honest(
    rng: random.Random, people: int, a_day: int, refusals: float, *, days: int, clears: bool
) -> tuple[int, int, int]:
    """Tries, tries that the limits refused, and days on which they refused one."""
    door, refused, refusing = Door(clears=clears), 0, set()
    times_s = sorted(rng.random() * days * DAY_S for _ in range(days * a_day))
    for at_s in times_s:
        if not door.attempt(rng.randrange(people), at_s, succeeds=rng.random() >= refusals):
            refused += 1
            refusing.add(int(at_s // DAY_S))
    return len(times_s), refused, len(refusing)


def guesses(rng: random.Random, people: int, *, days: int, clears: bool) -> int:
    """How often a guesser can try when nobody else does.

    Up to one try below the common wait, then a day's pause that clears the common count.
    """
    door, at_s, tries, in_a_row = Door(clears=clears), 0.0, 0, 0
    failures = [0] * people
    while at_s < days * DAY_S:
        free = [name for name in range(people) if door.wait_s(name, at_s) == 0]
        if in_a_row < GLOBAL_FREE_FAILURES - 1 and free:
            name = min(free, key=lambda one: (failures[one] >= FREE_FAILURES - 1, rng.random()))
            assert door.attempt(name, at_s, succeeds=False)
            failures[name] += 1
            tries, in_a_row, at_s = tries + 1, in_a_row + 1, at_s + 3
        else:
            at_s, in_a_row = at_s + DAY_S, 0
    return tries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--days", type=int, default=60)
    add_json_option(parser)
    args = parser.parse_args()
    report = Figures(__file__, as_json=args.json)
    for a_day, refusals in SETTINGS:
        for clears in (False, True):
            runs = args.runs if clears else min(args.runs, 5)
            results = [
                honest(
                    random.Random(seed), args.people, a_day, refusals, days=args.days, clears=clears
                )
                for seed in range(runs)
            ]
            locked = sum(refused > 0 for _, refused, _ in results)
            share = sum(refused for _, refused, _ in results) / sum(one for one, _, _ in results)
            report.add(
                f"{a_day} tries a day, {refusals:.1%} refused, {'now' if clears else 'as before'}",
                runs=runs,
                runs_refused_by_limits=locked,
                share_of_tries=share,
            )
    for clears in (False, True):
        tries = [
            guesses(random.Random(seed), args.people, days=args.days, clears=clears)
            for seed in range(5)
        ]
        report.add(f"guesser, {'now' if clears else 'as before'}", tries=max(tries))
    report.end()


if __name__ == "__main__":
    main()
