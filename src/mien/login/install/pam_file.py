"""The lines of a file of /etc/pam.d, and mien's own marked block in it.

    # mien: begin 0f3a...; written by mien login install, removed by mien login uninstall
    auth  [success=done default=ignore]  pam_mien.so
    # mien: end

The word after "begin" is a hash of the lines between, so that an edited block is noticed. Removing
the block gives the bytes from before, whatever else was changed meanwhile.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mien.errors import UsageError

BEGIN = b"# mien: begin"
END = b"# mien: end"
NOTE = b"written by mien login install, removed by mien login uninstall"
BINDING = ("required", "requisite")
_DIGITS = 16
_LINE = re.compile(
    r"-?(?P<kind>auth|account|password|session)\s+"
    r"(?P<control>\[[^\]]*\]|\S+)\s+(?P<module>\S+)\s*(?P<arguments>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PamLine:
    """An entry of one kind. start: the number of its first line of the file, from 0.

    control: lower case; "@include" for Debian's directive, which has every kind. module: a file or,
    after include and substack, a service.
    """

    start: int
    kind: str
    control: str
    module: str
    arguments: str = ""

    @property
    def includes(self) -> str:
        """The service whose lines stand here; "" for a module."""
        return self.module if self.control in ("include", "substack", "@include") else ""

    @property
    def name(self) -> str:
        """The module's file name without folder and `.so`."""
        return self.module.rsplit("/", 1)[-1].removesuffix(".so")

    @property
    def is_binding(self) -> bool:
        """Whether its refusal refuses the whole question."""
        words = self.control.strip("[]").split()
        return self.control in BINDING or any(
            word.endswith(("=bad", "=die")) for word in words if "=" in word
        )

    @property
    def jumps(self) -> bool:
        """Whether it may skip the lines that follow it."""
        return self.control.startswith("[") and re.search(r"=\d", self.control) is not None


def read_pam_lines(content: bytes) -> list[PamLine]:
    """The auth entries of a file, in order, and what it includes."""
    lines = []
    for start, text in _joined_lines(content):
        include = re.match(r"@include\s+(\S+)", text)
        if include:
            lines.append(PamLine(start, "auth", "@include", include[1]))
            continue
        found = _LINE.match(text)
        if found and found["kind"].lower() == "auth":
            line = PamLine(
                start, "auth", found["control"].lower(), found["module"], found["arguments"].strip()
            )
            lines.append(line)
    return lines


def insert_block(content: bytes, before_line: int, entry: str) -> bytes:
    """The file with a block of one entry before a line. Raises UsageError."""
    refuse_binding(entry)
    lines = content.splitlines(keepends=True)
    if before_line and lines[before_line - 1].rstrip(b"\r\n").endswith(b"\\"):
        raise UsageError("the line before the first auth line goes on; join the two lines")
    inside = entry.encode() + b"\n"
    block = BEGIN + b" " + _digest(inside) + b"; " + NOTE + b"\n" + inside + END + b"\n"
    return b"".join([*lines[:before_line], block, *lines[before_line:]])


def remove_block(content: bytes) -> bytes:
    """The file without mien's block; the same bytes if there is none.

    Raises UsageError for a block that was edited, and for markers without their other half.
    """
    lines = content.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.startswith(BEGIN)]
    ends = [number for number, line in enumerate(lines) if line.rstrip() == END]
    if not begins and not ends:
        return content
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise UsageError("its marks '# mien: begin' and '# mien: end' are not one pair")
    (begin,), (end,) = begins, ends
    inside = b"".join(lines[begin + 1 : end])
    header = BEGIN + b" " + _digest(inside) + b"; " + NOTE + b"\n"
    if lines[begin] != header or lines[end] not in (END + b"\n", END):
        raise UsageError("somebody edited between '# mien: begin' and '# mien: end'")
    return b"".join([*lines[:begin], *lines[end + 1 :]])


def has_block(content: bytes) -> bool:
    """Whether there is a mark of a block, whole or not."""
    return any(line.startswith((BEGIN, END)) for line in content.splitlines())


def names_mien(content: bytes) -> list[PamLine]:
    """The entries that ask mien, in a block or written by hand, without comments."""
    return [
        line
        for line in read_pam_lines(content)
        if line.name == "pam_mien" or "mien/login/pam_client" in line.arguments
    ]


def refuse_binding(entry: str) -> None:
    """Raise UsageError for an entry that could lock everybody out while mien is broken."""
    lines = read_pam_lines(entry.encode() + b"\n")
    if len(lines) != 1 or lines[0].is_binding or lines[0].jumps:
        raise UsageError(
            "a line of mien must never be required or requisite, or nobody could log in"
            " without it; use [success=done default=ignore]"
        )


def _digest(inside: bytes) -> bytes:
    return hashlib.sha256(inside).hexdigest()[:_DIGITS].encode()


def _joined_lines(content: bytes) -> Iterator[tuple[int, str]]:
    """Number and text of each entry: a backslash at the end joins the next line, as in PAM."""
    start, text = 0, ""
    for number, raw in enumerate(content.splitlines()):
        line = raw.decode("utf-8", "replace").split("#")[0].strip()
        if not text:
            start = number
        if line.endswith("\\"):
            text += line[:-1] + " "
            continue
        text += line
        if text:
            yield start, text.strip()
        text = ""
    if text:
        yield start, text.strip()
