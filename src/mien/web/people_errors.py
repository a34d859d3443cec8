"""Errors about enrolled people whose messages name commands, in words for HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mien.errors import AlreadyEnrolled, AnotherFace, MienError, NotEnrolled, UsageError
from mien.vault.records.kept_faces import NotKept, TooManyMarked
from mien.vault.records.record import MAX_KEPT


@contextmanager
def errors_for_http(user: str, *, new_name: str = "") -> Iterator[None]:
    """Raise them again with what to send instead of what to run. new_name: of a rename."""
    try:
        yield
    except NotEnrolled as error:
        raise NotEnrolled(f"{user} is not enrolled; GET /v1/people lists who is") from error
    except AlreadyEnrolled as error:
        if new_name:
            message = f"{new_name} is enrolled already; choose another name"
            raise AlreadyEnrolled(message) from error
        raise name_taken(user) from error
    except AnotherFace as error:
        raise AnotherFace(
            f"these photos show another face than the one enrolled as {user}; choose another name,"
            " or send mode=replace_person to let the new face unlock in place of the earlier one"
        ) from error
    except NotKept as error:
        raise UsageError(
            f"nothing of that kind is kept of {user}; GET /v1/people lists what is"
        ) from error
    except TooManyMarked as error:
        raise UsageError(
            f"{MAX_KEPT['not_me']} unlocks of {user} are marked already, and no more are kept;"
            " remove a mark that is wrong, or enroll again with better photos (mode=replace)"
        ) from error


def words_for_http(user: str, error: MienError) -> str:
    """What an error about this person says over HTTP."""
    try:
        with errors_for_http(user):
            raise error
    except MienError as said:
        return str(said)


def name_taken(user: str) -> AlreadyEnrolled:
    """The error for a name that is enrolled already."""
    message = f"{user} is enrolled already; send mode=add to add photos, mode=replace to"
    return AlreadyEnrolled(f"{message} replace them, or choose another name")
