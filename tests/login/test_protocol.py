"""The messages between the PAM module and the daemon: sizes, and what is refused."""

from __future__ import annotations

import pytest

from mien.login.protocol import (
    REPLY,
    REQUEST,
    AuthReply,
    AuthRequest,
    ProtocolError,
    ReplyCode,
    unpack_reply,
    unpack_request,
)

NONCE = bytes(range(16))
ASKED = AuthRequest("sudo", "anna", "/dev/pts/1", 5.0, NONCE)


def test_the_messages_have_the_sizes_that_the_pam_module_expects() -> None:
    assert (REQUEST.size, REPLY.size) == (408, 184)
    assert len(ASKED.pack()) == 408
    assert len(AuthReply(ReplyCode.SUCCESS, "hello").pack(NONCE)) == 184


def test_a_request_is_read_as_it_was_sent() -> None:
    assert unpack_request(ASKED.pack()) == ASKED


@pytest.mark.parametrize(
    ("place", "byte"),
    [
        pytest.param(0, 0, id="another magic"),
        pytest.param(7, 0xFF, id="a timeout of days"),
        pytest.param(24 + 5, 0x41, id="a text that goes on after its end"),
        pytest.param(24, 0xFF, id="a text that is not UTF-8"),
    ],
)
def test_a_message_that_is_no_request_is_refused(place: int, byte: int) -> None:
    message = bytearray(ASKED.pack())
    message[place] = byte
    with pytest.raises(ProtocolError):
        unpack_request(bytes(message))


def test_a_timeout_of_zero_and_a_text_without_an_end_are_refused() -> None:
    message = bytearray(ASKED.pack())
    message[4:8] = bytes(4)
    with pytest.raises(ProtocolError):
        unpack_request(bytes(message))
    message = bytearray(ASKED.pack())
    message[24:88] = b"a" * 64
    with pytest.raises(ProtocolError):
        unpack_request(bytes(message))


@pytest.mark.parametrize("size", [0, 1, 407, 409])
def test_a_request_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ProtocolError):
        unpack_request((ASKED.pack() + b"\0")[:size])


def test_a_reply_is_read_only_with_the_nonce_of_its_request() -> None:
    message = AuthReply(ReplyCode.AUTH_ERR, "not you").pack(NONCE)
    assert unpack_reply(message, expected_nonce=NONCE) == AuthReply(ReplyCode.AUTH_ERR, "not you")
    with pytest.raises(ProtocolError):
        unpack_reply(message, expected_nonce=bytes(16))


def test_a_reply_with_a_code_of_no_meaning_is_refused() -> None:
    message = bytearray(AuthReply(ReplyCode.SUCCESS).pack(NONCE))
    message[4] = 1
    with pytest.raises(ProtocolError):
        unpack_reply(bytes(message), expected_nonce=NONCE)


def test_words_are_cut_between_letters_and_lose_what_a_terminal_acts_on() -> None:
    message = AuthReply(ReplyCode.TELL, "ü" * 100 + "\x1b[2J").pack(NONCE)
    assert unpack_reply(message, expected_nonce=NONCE).words == "ü" * 79
    message = AuthReply(ReplyCode.TELL, "a\x1b[2J\nb").pack(NONCE)
    assert unpack_reply(message, expected_nonce=NONCE).words == "a?[2J?b"


def test_a_user_name_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(ProtocolError):
        AuthRequest("sudo", "a" * 256, "", 5.0, NONCE).pack()
