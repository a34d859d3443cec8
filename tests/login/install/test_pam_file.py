"""mien's marked block in a PAM file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.login.install.pam_file import (
    has_block,
    insert_block,
    names_mien,
    read_pam_lines,
    refuse_binding,
    remove_block,
)

ENTRY = "auth\t[success=done default=ignore]\tpam_mien.so"
SUDO = b"#%PAM-1.0\n\n@include common-auth\n@include common-account\n"

some_lines = st.lists(
    st.binary(max_size=20).filter(lambda text: b"\\" not in text and b"mien" not in text),
    max_size=6,
)


def test_a_block_stands_before_the_line_and_has_its_marks() -> None:
    lines = insert_block(SUDO, 2, ENTRY).decode().splitlines()
    assert lines[2].startswith("# mien: begin ")
    assert lines[3:] == [ENTRY, "# mien: end", "@include common-auth", "@include common-account"]


@given(some_lines, st.integers(0, 6), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_removing_a_block_gives_the_bytes_from_before(
    texts: list[bytes], place: int, end: bytes, has_last_end: bool
) -> None:
    content = end.join(texts) + (end if has_last_end else b"")
    lines = len(content.splitlines())
    with_block = insert_block(content, min(place, max(0, lines - 1)), ENTRY)
    assert has_block(with_block)
    assert remove_block(with_block) == content


def test_lines_that_others_changed_meanwhile_stay() -> None:
    changed = insert_block(SUDO, 2, ENTRY).replace(b"#%PAM-1.0\n", b"# mine\n") + b"# more\n"
    assert (
        remove_block(changed)
        == b"# mine\n\n@include common-auth\n@include common-account\n# more\n"
    )


def test_a_file_without_a_block_is_left_as_it_is() -> None:
    assert remove_block(SUDO) == SUDO
    assert not has_block(SUDO)


def test_an_edited_block_is_refused() -> None:
    edited = insert_block(SUDO, 2, ENTRY).replace(b"pam_mien.so", b"pam_mien.so timeout=9")
    with pytest.raises(UsageError, match="somebody edited"):
        remove_block(edited)


def test_an_edited_mark_is_refused() -> None:
    edited = insert_block(SUDO, 2, ENTRY).replace(b"written by", b"made by")
    with pytest.raises(UsageError, match="somebody edited"):
        remove_block(edited)


@pytest.mark.parametrize(
    "content",
    [
        b"# mien: begin 00; x\nauth optional pam_mien.so\n",
        b"auth optional pam_mien.so\n# mien: end\n",
        b"# mien: end\n# mien: begin 00; x\n",
        insert_block(insert_block(SUDO, 2, ENTRY), 0, ENTRY),
    ],
)
def test_marks_that_are_not_one_pair_are_refused(content: bytes) -> None:
    with pytest.raises(UsageError, match="not one pair"):
        remove_block(content)


@pytest.mark.parametrize(
    "entry",
    [
        "auth required pam_mien.so",
        "auth requisite pam_mien.so",
        "auth REQUIRED pam_mien.so",
        "auth [success=done default=die] pam_mien.so",
        "auth [success=done default=bad] pam_mien.so",
        "auth [success=1 default=ignore] pam_mien.so",
        "auth sufficient pam_mien.so\nauth required pam_deny.so",
        "",
    ],
)
def test_a_line_that_could_lock_everybody_out_is_never_written(entry: str) -> None:
    with pytest.raises(UsageError, match="never be required"):
        refuse_binding(entry)
    with pytest.raises(UsageError, match="never be required"):
        insert_block(SUDO, 2, entry)


def test_a_block_never_goes_into_the_middle_of_an_entry() -> None:
    with pytest.raises(UsageError, match="goes on"):
        insert_block(b"auth required \\\n  pam_env.so\nauth include x\n", 1, ENTRY)


def test_lines_are_read_as_pam_reads_them() -> None:
    content = (
        b"# auth required pam_no.so\n"
        b"-AUTH [success=2 default=ignore] pam_systemd_home.so # at home\n"
        b"auth required \\\n   pam_env.so readenv=1\n"
        b"account required pam_unix.so\n"
        b"auth substack /etc/pam.d/system-auth\n"
        b"@include common-auth\n"
    )
    lines = read_pam_lines(content)
    assert [(one.start, one.name, one.arguments) for one in lines[:2]] == [
        (1, "pam_systemd_home", ""),
        (2, "pam_env", "readenv=1"),
    ]
    assert [one.includes for one in lines[2:]] == ["/etc/pam.d/system-auth", "common-auth"]
    assert [one.jumps for one in lines] == [True, False, False, False]
    assert [one.is_binding for one in lines] == [False, True, False, False]


def test_lines_that_ask_mien_are_found_without_marks_too() -> None:
    by_hand = b"auth required /lib/security/pam_mien.so\n"
    client = b"auth optional pam_exec.so /usr/bin/python3 /opt/x/mien/login/pam_client.py\n"
    assert [len(names_mien(one)) for one in (by_hand, client, b"# pam_mien.so\n", SUDO)] == [
        1,
        1,
        0,
        0,
    ]
