"""What an asker is told for each outcome of a look: a code of PAM, and words for the person.

The words stand on lock screens and in terminals: they name no option of a command, and nobody.
"""

from __future__ import annotations

from mien.errors import Outcome
from mien.login.protocol import AuthReply, ReplyCode

_REPLIES = {
    Outcome.UNLOCKED: (ReplyCode.SUCCESS, ""),
    Outcome.NOT_THE_OWNER: (ReplyCode.AUTH_ERR, "your face was not recognized; use your password"),
    Outcome.NOT_LIVE: (ReplyCode.AUTH_ERR, "no living person was seen; use your password"),
    Outcome.TOO_MANY_ATTEMPTS: (ReplyCode.AUTH_ERR, "too many attempts; use your password"),
    Outcome.NOT_ENROLLED: (ReplyCode.IGNORE, ""),
    Outcome.NO_FACE: (
        ReplyCode.AUTHINFO_UNAVAIL,
        "no face was seen; face the camera, in more light, or use your password",
    ),
    Outcome.SEVERAL_FACES: (
        ReplyCode.AUTHINFO_UNAVAIL,
        "several faces were seen; be alone before the camera, or use your password",
    ),
    Outcome.CAMERA_UNAVAILABLE: (
        ReplyCode.AUTHINFO_UNAVAIL,
        "the camera cannot be used; use your password",
    ),
}
_FAILED = (ReplyCode.AUTHINFO_UNAVAIL, "face unlock does not work now; use your password")

IN_USE = AuthReply(ReplyCode.AUTHINFO_UNAVAIL, "the camera is in use; use your password")
TOO_SLOW = AuthReply(ReplyCode.AUTHINFO_UNAVAIL, "the camera did not answer; use your password")
INTERNAL_ERROR = AuthReply(*_FAILED)
NOT_ASKED = AuthReply(ReplyCode.IGNORE)
RECOGNIZED = AuthReply(ReplyCode.IGNORE, "your face was recognized")


def reply_for(outcome: Outcome, words: str = "") -> AuthReply:
    """The answer. words: what to say in place of the usual words. An outcome that has no answer of
    its own is an internal error, and never reads as a stranger."""
    code, usual = _REPLIES.get(outcome, _FAILED)
    return AuthReply(code, words or usual)
