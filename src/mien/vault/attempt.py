"""One unlock or identification attempt: charged before the comparison, settled after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timezone

from mien.errors import MienError, Outcome
from mien.records import dataclass
from mien.vault.integrity.audit_log import NOT_LIVE_BY, STARTED
from mien.vault.limits.attempts import Moment
from mien.vault.limits.counters import charge_attempt, settle_attempt
from mien.vault.pauses import attempts_in_progress
from mien.vault.people import Success, add_success
from mien.vault.transaction import Transaction, TransactionManager

IDENTIFY = "/identify"  # counts identifications; no user name has a slash
NOT_COMPARED = (Outcome.NO_FACE, Outcome.SEVERAL_FACES)
UNDECIDED = "undecided"  # in the log: some frames showed one face, and too few agreed
LEARNED = "learned"  # in the log, of an "enroll": the template learned the face that unlocked
UNLOCKED_LAXER = "unlocked_laxer"  # in the log: with a threshold below the default one

Now = Callable[[Transaction], Moment]
WriteLog = Callable[[Transaction, str, str, str], str]
"""Appends an entry to the log: transaction, kind, user, outcome. Returns its time."""


@dataclass(slots=True)
class Attempt:
    """One attempt. The caller sets the outcome before the `with` block ends.

    user: whose attempt it is; for an identification empty until the caller sets it.
    compared: a face was compared; then the charge stays unless the user unlocks, also where later
    frames show no face or raise an error.
    is_laxer: the threshold was below the default one; then UNLOCKED does not clear the failures
    of the user, and the log names it. is_live: the liveness check was passed; then UNLOCKED
    notes the day in the user's record. refused_by: of NOT_LIVE, the class of the reason, for the
    log. earlier_failures: of this name since its last success. similarity: -1..1, NaN if not known;
    UNLOCKED notes it in the user's record. day: on which the attempt began, in UTC. payload: the
    template that the face was compared with. face: its embedding as `KeptFace.vector`, which
    UNLOCKED keeps among the last unlocks; learned: the same of a face that the template is to
    learn, beside most_learned - 1 others. Neither is kept if the template was changed meanwhile.
    marks: the marked faces that it was compared with, as of `marks_of`; it is not learned if those
    were changed meanwhile.
    """

    day: date
    outcome: Outcome | None = None
    user: str = ""
    compared: bool = False
    is_laxer: bool = False
    is_live: bool = False
    refused_by: str = ""
    earlier_failures: int = 0
    similarity: float = math.nan
    payload: bytes = b""
    face: bytes = b""
    learned: bytes = b""
    marks: bytes = b""
    most_learned: int = 0


@contextmanager
def charged_attempt(
    user: str | None, transactions: TransactionManager, *, now: Now, write_log: WriteLog
) -> Iterator[Attempt]:
    """Charge an attempt to `user`, None to identify, and settle it at the end: `Vault.attempt`."""
    attempt = _charged_attempt(user, transactions, now=now, write_log=write_log)
    with attempts_in_progress.another(), attempt as one:
        yield one


@contextmanager
def _charged_attempt(
    user: str | None, transactions: TransactionManager, *, now: Now, write_log: WriteLog
) -> Iterator[Attempt]:
    name, kind = (IDENTIFY, "identify") if user is None else (user, "unlock")
    with transactions.writing() as transaction:
        started = now(transaction)
        charge = charge_attempt(name, transaction, started)
        if charge.refused is None:  # in the log from here on, even if the process is killed
            write_log(transaction, kind, user or "", STARTED)
    if charge.refused is not None:
        raise charge.refused
    day = datetime.fromtimestamp(started.wall_s, timezone.utc).date()
    attempt = Attempt(day, user=user or "", earlier_failures=charge.counts.own.failures - 1)

    def settle(outcome: Outcome, *, compared: bool) -> None:
        unlocked = outcome is Outcome.UNLOCKED
        with transactions.writing() as transaction:
            settle_attempt(
                name,
                transaction,
                now(transaction),
                charge,
                unlocked=unlocked and not attempt.is_laxer,
                compared=compared and not unlocked,
            )
            at = write_log(transaction, kind, attempt.user, _log_word(attempt, outcome))
            if unlocked and user is not None and _note_success(attempt, transaction, at):
                write_log(transaction, "enroll", user, LEARNED)

    try:
        yield attempt
    except MienError as error:
        settle(error.outcome, compared=attempt.compared)
        raise
    except BaseException as error:  # logged, and it stays a failure
        settle(_outcome_of(error), compared=True)
        raise
    outcome = attempt.outcome or Outcome.NOT_THE_OWNER
    settle(outcome, compared=attempt.compared or outcome not in NOT_COMPARED)


def _note_success(attempt: Attempt, transaction: Transaction, at: str) -> bool:
    """Whether the template learned the face."""
    if attempt.is_laxer:  # what the usual threshold would not accept is no example of the owner
        success = Success(at, is_live=attempt.is_live)
    else:
        success = Success(
            at,
            is_live=attempt.is_live,
            similarity=attempt.similarity,
            payload=attempt.payload,
            face=attempt.face,
            learned=attempt.learned,
            marks=attempt.marks,
            most_learned=attempt.most_learned,
        )
    return add_success(attempt.user, success, transaction)


def _outcome_of(error: BaseException) -> Outcome:
    interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
    return Outcome.INTERRUPTED if interrupted else Outcome.INTERNAL_ERROR


def _log_word(attempt: Attempt, outcome: Outcome) -> str:
    """The outcome as the log has it."""
    if outcome is Outcome.UNLOCKED and attempt.is_laxer:
        return UNLOCKED_LAXER
    if outcome in NOT_COMPARED and attempt.compared:
        return UNDECIDED
    if outcome is Outcome.NOT_LIVE and attempt.refused_by:
        return f"{NOT_LIVE_BY}{attempt.refused_by}"
    return outcome.value
