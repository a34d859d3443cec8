"""How long a name must wait after failed attempts. Pure: the clock is an argument.

Four failures cost nothing. The fifth costs a wait of 30 seconds, and each further one twice as
much as the one before (Android's Compatibility Definition, 7.3.10, asks for no less), up to
a day: without a limit a prankster could lock the owner out for ever.
"""

from __future__ import annotations

import json
import math
import time
from functools import lru_cache
from pathlib import Path

from mien.errors import VaultDamaged
from mien.records import dataclass, replace

FREE_FAILURES = 5
GLOBAL_FREE_FAILURES = 50  # over all names: somebody may be trying one name after the other
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 86_400.0

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """wall_s: Unix time; it can be set. boot_s: seconds since the boot `boot_id`; it cannot."""

    wall_s: float
    boot_id: str
    boot_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.wall_s) and math.isfinite(self.boot_s)):
            raise ValueError("wall_s and boot_s must be finite numbers")


def moment_now() -> Moment:
    """Read the clocks of this machine. boot_id is empty where the kernel gives boots no name."""
    boot_id = _read_boot_id(_BOOT_ID)
    if hasattr(time, "CLOCK_BOOTTIME"):  # it also counts while the machine sleeps
        return Moment(time.time(), boot_id, time.clock_gettime(time.CLOCK_BOOTTIME))
    return Moment(time.time(), boot_id, time.monotonic())


@lru_cache(maxsize=1)
def _read_boot_id(path: Path) -> str:
    """Read once: no process outlives a boot."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class AttemptCount:
    """failures: since the last success. wait_s: what was left of the wait at `as_of`.

    as_of: the last update, or the last failure; its wall clock is the highest ever seen.
    """

    failures: int
    wait_s: float
    as_of: Moment

    @classmethod
    def none(cls, now: Moment) -> AttemptCount:
        """No failures."""
        return cls(0, 0.0, now)

    def advanced_to(self, now: Moment, *, forget_after_s: float | None = None) -> AttemptCount:
        """The count at a later moment: the wait is reduced by the time that passed, never raised.

        forget_after_s: after so long without a failure the count is zero; None never does that.
        """
        left_s = max(0.0, self.wait_s - _passed_s(self.as_of, now))
        if forget_after_s is not None and left_s <= 0:
            if _quiet_s(self.as_of, now) >= forget_after_s:
                return AttemptCount(0, 0.0, _later(self.as_of, now))
            if self.wait_s <= 0:
                return self  # as_of stays at the last failure, to measure the time without one
        return AttemptCount(self.failures, left_s, _later(self.as_of, now))

    def after_failure(self, now: Moment, *, free_failures: int) -> AttemptCount:
        """One more failure, and the wait that it costs."""
        failures = self.failures + 1
        return AttemptCount(
            failures, _wait_for_s(failures - free_failures), _later(self.as_of, now)
        )

    def after_success(self, now: Moment) -> AttemptCount:
        """No failures any more."""
        return AttemptCount(0, 0.0, _later(self.as_of, now))

    def after_refund(self, now: Moment, *, charged: int, free_failures: int) -> AttemptCount:
        """One failure less, because the attempt that raised the count to `charged` was none.

        Its wait is removed too, unless another attempt was charged since.
        """
        count = self if self.failures != charged else replace(self, wait_s=0.0)
        return count.without(1, now, free_failures=free_failures)

    def without(self, failures: int, now: Moment, *, free_failures: int) -> AttemptCount:
        """So many failures less, and no longer wait than those that are left would cost."""
        left = max(0, self.failures - failures)
        wait_s = min(self.wait_s, _wait_for_s(left - free_failures))
        return AttemptCount(left, wait_s, _later(self.as_of, now))

    def to_bytes(self) -> bytes:
        moment = self.as_of
        as_of = {"wall_s": moment.wall_s, "boot_id": moment.boot_id, "boot_s": moment.boot_s}
        table = {"failures": self.failures, "wait_s": self.wait_s, "as_of": as_of}
        return json.dumps(table, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, packed: bytes) -> AttemptCount:
        """Read what `to_bytes` wrote. VaultDamaged for anything else."""
        try:
            table = json.loads(packed)
            moment = Moment(**table["as_of"])
            count = cls(int(table["failures"]), float(table["wait_s"]), moment)
            sound = count.failures >= 0 and 0.0 <= count.wait_s <= LONGEST_WAIT_S
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _damaged() from error
        if not sound or count.to_bytes() != packed:
            raise _damaged()
        return count


@dataclass(frozen=True, slots=True)
class Counts:
    """own: failures of one name. common: of all names; a guesser may try one after the other."""

    own: AttemptCount
    common: AttemptCount

    @property
    def wait_s(self) -> float:
        """How long the name must wait; 0 if it may try."""
        return max(self.own.wait_s, self.common.wait_s)

    def charged(self, now: Moment) -> Counts:
        """One more failure of both, before the comparison."""
        return Counts(
            self.own.after_failure(now, free_failures=FREE_FAILURES),
            self.common.after_failure(now, free_failures=GLOBAL_FREE_FAILURES),
        )

    def refunded(self, now: Moment, *, charged: Counts) -> Counts:
        """Without the failure that was charged: no face was compared. charged: what it led to."""
        own, common = charged.own.failures, charged.common.failures
        return Counts(
            self.own.after_refund(now, charged=own, free_failures=FREE_FAILURES),
            self.common.after_refund(now, charged=common, free_failures=GLOBAL_FREE_FAILURES),
        )

    def unlocked(self, now: Moment, *, charged: Counts) -> Counts:
        """The name has no failures any more, and those before a wait leave the common count too.

        They were the owner's own, and at hundreds of attempts a day would lock everybody out in
        some days. More failures than those are a guesser's, and stay.
        """
        earlier = min(self.own.failures - 1, FREE_FAILURES - 1)
        common = self.refunded(now, charged=charged).common
        return Counts(
            self.own.after_success(now),
            common.without(earlier, now, free_failures=GLOBAL_FREE_FAILURES),
        )


def describe_wait(wait_s: float) -> str:
    """The wait in words, rounded up: "try again in 2 minutes"."""
    seconds = max(1, math.ceil(wait_s))
    if seconds <= 90:
        return f"try again in {seconds} second{'s' * (seconds != 1)}"
    minutes = math.ceil(seconds / 60)
    if minutes <= 90:
        return f"try again in {minutes} minutes"
    return f"try again in {math.ceil(minutes / 60)} hours"


def _wait_for_s(doublings: int) -> float:
    """The wait after the first failure that costs one, doubled so many times; 0 before it."""
    if doublings < 0:
        return 0.0
    # beyond thirty doublings it is the longest wait anyway
    return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(doublings, 30))


def _passed_s(then: Moment, now: Moment) -> float:
    """A lower bound of the seconds that passed, never below 0, however the clocks were set.

    Within one boot the clock of the boot tells. Another boot began after `then`, so the time
    since that boot has passed for certain; the time that the machine was off is unknown. It
    may also be another machine: then the time since its boot counts only as far as its wall
    clock is above the highest one seen. So a clock that is ahead gives its lead once, and
    not at each change between machines.
    """
    if then.boot_id and then.boot_id == now.boot_id:
        return max(0.0, now.boot_s - then.boot_s)
    # where boots have no name, it may be the same one
    since_s = now.boot_s if now.boot_id else now.boot_s - then.boot_s
    return max(0.0, min(since_s, now.wall_s - then.wall_s))


def _quiet_s(then: Moment, now: Moment) -> float:
    """Seconds without a failure, also on a machine that is off every night."""
    if then.boot_id and then.boot_id == now.boot_id:
        return max(0.0, now.boot_s - then.boot_s)
    return max(0.0, now.wall_s - then.wall_s)


def _later(then: Moment, now: Moment) -> Moment:
    """Now, with the highest wall clock that was seen, or must have been reached meanwhile."""
    wall_s = max(then.wall_s + _passed_s(then, now), now.wall_s)
    return Moment(wall_s, now.boot_id, now.boot_s)


def _damaged() -> VaultDamaged:
    return VaultDamaged(
        "a count of attempts was not written by mien; restore the vault from a backup"
    )
