"""The messages between the PAM module and the login daemon: one datagram (SOCK_SEQPACKET) each.

The client sends one request and gets replies with its nonce: any number of `ReplyCode.TELL`, whose
words it shows, and then one that answers. `pam/pam_mien.c` has the same sizes and codes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

SOCKET_PATH = "/run/mien/auth.sock"
REQUEST = struct.Struct("<II16s64s256s64s")  # magic, timeout in ms, nonce, service, user, tty
REPLY = struct.Struct("<Ii16s160s")  # magic, code, nonce, words
REQUEST_MAGIC = 0x314E454D  # "MEN1" in the bytes of a request
REPLY_MAGIC = 0x3152454D  # "MER1" in the bytes of a reply
NONCE_BYTES = 16
MAX_TIMEOUT_MS = 60_000


class ReplyCode(IntEnum):
    """What the asker is told. All but TELL are the return values of Linux-PAM's `_pam_types.h`."""

    TELL = -1  # words to show; another reply follows
    SUCCESS = 0
    AUTH_ERR = 7  # a face was judged and does not open; or too many attempts
    AUTHINFO_UNAVAIL = 9  # no face could be judged: dark, no camera, an internal error
    IGNORE = 25  # not a question for a face: remote, root, not enrolled, a locked account


class ProtocolError(ValueError):
    """A message that is no request, or no reply to the request that was sent."""


@dataclass(frozen=True, slots=True)
class AuthRequest:
    """The question whether the person before the camera is `user`.

    service, user, tty: what PAM says. timeout_s: how long the asker waits. nonce: 16 bytes.
    """

    service: str
    user: str
    tty: str
    timeout_s: float
    nonce: bytes

    def pack(self) -> bytes:
        """The 408 bytes of the message. ProtocolError for a text that is too long."""
        timeout_ms = round(self.timeout_s * 1000)
        texts = (_padded(self.service, 64), _padded(self.user, 256), _padded(self.tty, 64))
        return REQUEST.pack(REQUEST_MAGIC, timeout_ms, self.nonce, *texts)


@dataclass(frozen=True, slots=True)
class AuthReply:
    """An answer. words: one line for the person, at most 159 bytes of UTF-8, may be empty."""

    code: ReplyCode
    words: str = ""

    def pack(self, nonce: bytes) -> bytes:
        """The 184 bytes of the message. Longer words are cut."""
        words = printable(self.words).encode()[:159].decode(errors="ignore")
        return REPLY.pack(REPLY_MAGIC, int(self.code), nonce, words.encode())


def unpack_request(message: bytes) -> AuthRequest:
    """Read the bytes of a request. Raises ProtocolError for any that are not one."""
    if len(message) != REQUEST.size:
        raise ProtocolError(f"a request has {REQUEST.size} bytes, not {len(message)}")
    magic, timeout_ms, nonce, service, user, tty = REQUEST.unpack(message)
    if magic != REQUEST_MAGIC:
        raise ProtocolError("the message is not a request of this version")
    if not 0 < timeout_ms <= MAX_TIMEOUT_MS:
        raise ProtocolError(f"the timeout must be 1 to {MAX_TIMEOUT_MS} ms, not {timeout_ms}")
    return AuthRequest(_text(service), _text(user), _text(tty), timeout_ms / 1000, nonce)


def unpack_reply(message: bytes, *, expected_nonce: bytes) -> AuthReply:
    """Read the bytes of a reply. Raises ProtocolError for any that are not one."""
    if len(message) != REPLY.size:
        raise ProtocolError(f"a reply has {REPLY.size} bytes, not {len(message)}")
    magic, code, nonce, words = REPLY.unpack(message)
    if magic != REPLY_MAGIC or nonce != expected_nonce:
        raise ProtocolError("the message is not a reply to this request")
    if code not in tuple(ReplyCode):
        raise ProtocolError(f"{code} is not the code of a reply")
    return AuthReply(ReplyCode(code), printable(_text(words)))


def printable(text: str) -> str:
    """The text on one line, without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _padded(text: str, size: int) -> bytes:
    raw = text.encode()
    if len(raw) >= size or b"\0" in raw:
        raise ProtocolError(f"{text[:20]!r} is longer than {size - 1} bytes, or has a zero byte")
    return raw


def _text(raw: bytes) -> str:
    """A text that ends with its first zero byte; what follows must be zero bytes too."""
    text, zero, rest = raw.partition(b"\0")
    if not zero or rest.strip(b"\0"):
        raise ProtocolError("a text of the message does not end")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("a text of the message is not UTF-8") from error
