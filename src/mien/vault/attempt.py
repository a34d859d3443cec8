"""One unlock or identification attempt: charged before the comparison, settled after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mien.errors import MienError, Outcome
from mien.vault.limits.attempts import Moment
from mien.vault.limits.counters import Charge, charge_attempt, settle_attempt
from mien.vault.transaction import Transaction, TransactionManager

IDENTIFY = "/identify"  # counts identifications; no user name has a slash

Now = Callable[[Transaction], Moment]
WriteLog = Callable[[Transaction, str, str, str], None]
"""Appends an entry to the log: transaction, kind, user, outcome."""


@dataclass(slots=True)
class Attempt:
    """One attempt. The caller sets the outcome before the `with` block ends.

    user: whose attempt it is; for an identification empty until the caller sets it.
    """

    outcome: Outcome | None = None
    user: str = ""


@contextmanager
def charged_attempt(
    user: str | None, transactions: TransactionManager, *, now: Now, write_log: WriteLog
) -> Iterator[Attempt]:
    """Charge an attempt at once, and settle it when the block ends. See `Vault.attempt`.

    user: a checked name; None for an identification.
    """
    name = IDENTIFY if user is None else user
    with transactions.writing() as transaction:
        charge = charge_attempt(name, transaction, now(transaction))
    if charge.refused is not None:
        raise charge.refused
    attempt = Attempt(user=user or "")

    def settle(outcome: Outcome, *, compared: bool) -> None:
        with transactions.writing() as transaction:
            _settle(name, transaction, now(transaction), charge, outcome, compared=compared)
            kind = "identify" if user is None else "unlock"
            write_log(transaction, kind, attempt.user, outcome.value)

    try:
        yield attempt
    except MienError as error:
        settle(error.outcome, compared=False)
        raise
    except BaseException as error:  # logged, and it stays a failure
        interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
        settle(Outcome.INTERRUPTED if interrupted else Outcome.INTERNAL_ERROR, compared=True)
        raise
    outcome = attempt.outcome or Outcome.NOT_THE_OWNER
    settle(outcome, compared=outcome not in (Outcome.NO_FACE, Outcome.SEVERAL_FACES))


def _settle(
    name: str,
    transaction: Transaction,
    now: Moment,
    charge: Charge,
    outcome: Outcome,
    *,
    compared: bool,
) -> None:
    unlocked = outcome is Outcome.UNLOCKED
    settle_attempt(name, transaction, now, charge, unlocked=unlocked, compared=compared)
