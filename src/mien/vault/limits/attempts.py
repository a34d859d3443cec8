"""How long a door stays shut after failed tries. Pure: the clock is an argument.

Five failures are free, then it is 30 seconds, doubling with each further one (Android's
Compatibility Definition, 7.3.10, asks for no less), up to a day: without an end a
prankster could shut the owner out for ever.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from mien.errors import VaultDamaged

FREE_FAILURES = 5
GLOBAL_FREE_FAILURES = 50  # over all names together: somebody is trying them one by one
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 86_400.0

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """wall_s: Unix time, can be set. boot_s: seconds since the boot `boot_id`, cannot."""

    wall_s: float
    boot_id: str
    boot_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.wall_s) and math.isfinite(self.boot_s)):
            raise ValueError("a moment is made of finite numbers")


def moment_now() -> Moment:
    """The clocks of this machine. boot_id is empty where the kernel names no boot."""
    try:
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        boot_id = ""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # counts while asleep, too
    return Moment(time.time(), boot_id, time.clock_gettime(clock))


@dataclass(frozen=True, slots=True)
class Attempts:
    """failures: since the last success. wait_s: what was left of the wait at `as_of`.

    as_of: the last look, or the last failure; its wall clock is the highest ever seen.
    """

    failures: int
    wait_s: float
    as_of: Moment

    @classmethod
    def fresh(cls, now: Moment) -> Attempts:
        """Nothing has failed."""
        return cls(0, 0.0, now)

    def seen(self, now: Moment, *, forget_after_s: float | None = None) -> Attempts:
        """The same at a later moment: the wait counted down by what has passed, never up.

        forget_after_s: so long without a failure makes it `fresh`; None never does.
        """
        left_s = max(0.0, self.wait_s - _passed(self.as_of, now))
        if forget_after_s is not None and left_s <= 0:
            if _quiet(self.as_of, now) >= forget_after_s:
                return Attempts(0, 0.0, _later(self.as_of, now))
            if self.wait_s <= 0:
                return self  # as_of stays at the last failure, so that a quiet time can be told
        return Attempts(self.failures, left_s, _later(self.as_of, now))

    def charged(self, now: Moment, *, free_failures: int) -> Attempts:
        """One more failure, and the wait that it costs."""
        failures = self.failures + 1
        return Attempts(failures, _cost_s(failures - free_failures), _later(self.as_of, now))

    def cleared(self, now: Moment) -> Attempts:
        """After a success."""
        return Attempts(0, 0.0, _later(self.as_of, now))

    def given_back(self, now: Moment, *, charged: int, free_failures: int) -> Attempts:
        """One failure less: the try that brought them to `charged` was none.

        Its wait goes too, unless another try was charged meanwhile.
        """
        failures, as_of = max(0, self.failures - 1), _later(self.as_of, now)
        if self.failures == charged:
            return Attempts(failures, 0.0, as_of)
        return Attempts(failures, min(self.wait_s, _cost_s(failures - free_failures)), as_of)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Attempts:
        """What `to_bytes` wrote. VaultDamaged for anything else."""
        try:
            table = json.loads(packed)
            moment = Moment(**table["as_of"])
            attempts = cls(int(table["failures"]), float(table["wait_s"]), moment)
            sound = attempts.failures >= 0 and 0.0 <= attempts.wait_s <= LONGEST_WAIT_S
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _damaged() from error
        if not sound or attempts.to_bytes() != packed:
            raise _damaged()
        return attempts


def wait_in_words(wait_s: float) -> str:
    """What to do next, rounded up: "try again in 2 minutes"."""
    seconds = max(1, math.ceil(wait_s))
    if seconds <= 90:
        return f"try again in {seconds} second{'s' * (seconds != 1)}"
    minutes = math.ceil(seconds / 60)
    if minutes <= 90:
        return f"try again in {minutes} minutes"
    return f"try again in {math.ceil(minutes / 60)} hours"


def _cost_s(doublings: int) -> float:
    """The wait after the first failure that is not free, doubled so many times; 0 before it."""
    if doublings < 0:
        return 0.0
    # beyond thirty doublings it is the longest wait anyway
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(doublings, 30))


def _passed(then: Moment, now: Moment) -> float:
    """Seconds that have passed for sure, never below 0: a lower bound, whatever was set.

    Within one boot its own clock tells. Another boot began after the last look, so what
    has passed since then is sure, and the time that the machine was off is not; if it is
    another machine, that is sure for as long only as the wall clock is above the highest
    that was seen. A clock that is ahead so buys its lead once, and not at each turn.
    """
    if then.boot_id and then.boot_id == now.boot_id:
        return max(0.0, now.boot_s - then.boot_s)
    # where no boot has a name, it may be the same one
    since_s = now.boot_s if now.boot_id else now.boot_s - then.boot_s
    return max(0.0, min(since_s, now.wall_s - then.wall_s))


def _quiet(then: Moment, now: Moment) -> float:
    """Seconds without a failure; a machine that is off every night must forget them, too."""
    if then.boot_id and then.boot_id == now.boot_id:
        return max(0.0, now.boot_s - then.boot_s)
    return max(0.0, now.wall_s - then.wall_s)


def _later(then: Moment, now: Moment) -> Moment:
    """Now, with the highest wall clock that was seen, or must have been there meanwhile."""
    wall_s = max(then.wall_s + _passed(then, now), now.wall_s)
    return Moment(wall_s, now.boot_id, now.boot_s)


def _damaged() -> VaultDamaged:
    return VaultDamaged(
        "a count of attempts is not as mien writes it; restore the vault from a backup"
    )
