"""A report as one HTML file that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import UsageError
from mien.lab.names import clean
from mien.lab.report.files import write_whole
from mien.lab.report.style import CSS

FILE_NAME = "report.html"
PICTURE_KINDS = {"PNG": "image/png", "JPEG": "image/jpeg"}
WIDE_PX = 900  # wider pictures would be unreadable shrunk to a phone; they scroll sideways there

# Even if an escape were forgotten somewhere, a browser under this rule loads and runs nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: column names, then rows as long as they. The first cell of a row heads it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for at, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(f"row {at} has {len(row)} cells, the header {len(self.header)}")


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or JPEG file. alt: what it shows, in words, for who cannot see it."""

    path: Path
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError("a picture in a report needs an alt text")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, text (blank lines part paragraphs), then a table, then pictures."""

    heading: str
    text: str = ""
    table: Table | None = None
    pictures: tuple[Picture, ...] = ()


def write_report(
    folder: str | os.PathLike[str],
    title: str,
    sections: Sequence[Section],
    *,
    note: str = "",
    footer: str = "",
) -> Path:
    """Write `report.html` into the folder, whole or not at all, and return its path.

    note: shown prominently under the title, for instance that this is only the
    small demo. footer: a last line, for instance version and seed. All texts
    may come from strangers: they are shown, never interpreted.
    Raises UsageError for a picture that cannot be read or a folder that cannot
    be written.
    """
    heading = _text(title)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n',
        '<meta name="referrer" content="no-referrer">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        '<meta name="color-scheme" content="light dark">\n',
        f"<title>{heading}</title>\n<style>\n{CSS}</style>\n</head>\n<body>\n<main>\n",
        f"<header>\n<h1>{heading}</h1>\n",
        f'<p class="note" role="note">{_text(note)}</p>\n' if note else "",
        "</header>\n",
        _contents(sections),
        *(_section(at, section) for at, section in enumerate(sections, 1)),
        f"<footer>{_text(footer)}</footer>\n" if footer else "",
        "</main>\n</body>\n</html>\n",
    ]
    return write_whole(Path(folder) / FILE_NAME, "".join(parts).encode("utf-8"))


def _contents(sections: Sequence[Section]) -> str:
    """Links to the sections; a report of one or two needs none."""
    if len(sections) < 3:
        return ""
    links = "".join(
        f'<li><a href="#section-{at}">{_text(section.heading)}</a></li>'
        for at, section in enumerate(sections, 1)
    )
    return f'<nav aria-label="Contents"><ol>{links}</ol></nav>\n'


def _section(at: int, section: Section) -> str:
    name = f"section-{at}"
    paragraphs = [part for part in section.text.split("\n\n") if part.strip()]
    figures = "".join(map(_figure, section.pictures))
    several = " several" if len(section.pictures) > 1 else ""
    return (
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{_text(section.heading)}</h2>\n'
        + "".join(f"<p>{_text(part)}</p>\n" for part in paragraphs)
        + (_table(section.table) if section.table else "")
        + (f'<div class="pictures{several}">\n{figures}</div>\n' if figures else "")
        + "</section>\n"
    )


def _table(table: Table) -> str:
    numeric = [
        bool(table.rows) and all(_is_number(row[column]) for row in table.rows)
        for column in range(len(table.header))
    ]
    style = [' class="number"' if number else "" for number in numeric]
    head = "".join(
        f'<th scope="col"{style[at]}>{_text(name)}</th>' for at, name in enumerate(table.header)
    )
    body = ""
    for row in table.rows:
        cells = "".join(
            f'<th scope="row"{style[at]}>{_text(cell)}</th>'
            if at == 0
            else f"<td{style[at]}>{_text(cell)}</td>"
            for at, cell in enumerate(row)
        )
        body += f"<tr>{cells}</tr>\n"
    caption = f"<caption>{_text(table.caption)}</caption>\n" if table.caption else ""
    label = _text(table.caption or "table")
    # a region that scrolls must be reachable by keyboard, hence tabindex and a name
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">\n<table>\n{caption}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def _figure(picture: Picture) -> str:
    data, kind, width, height = _read_picture(picture.path)
    code = base64.b64encode(data).decode("ascii")
    wide = width > WIDE_PX
    caption = f"<figcaption>{_text(picture.caption)}</figcaption>" if picture.caption else ""
    image = (
        f'<img src="data:{kind};base64,{code}" alt="{_text(picture.alt)}" '
        f'width="{width}" height="{height}">'
    )
    if wide:
        label = _text(picture.caption or picture.alt)
        image = f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">{image}</div>'
    opening = '<figure class="wide">' if wide else "<figure>"
    return f"{opening}{image}{caption}</figure>\n"


def _read_picture(path: Path) -> tuple[bytes, str, int, int]:
    """The file's bytes, media type, width and height."""
    from PIL import Image

    try:
        data = Path(path).read_bytes()
        with Image.open(io.BytesIO(data), formats=tuple(PICTURE_KINDS)) as opened:
            return data, PICTURE_KINDS[opened.format or ""], opened.width, opened.height
    except (OSError, KeyError) as error:  # Pillow's "cannot identify" is an OSError
        raise UsageError(
            f"cannot show {str(path)!r} in a report: not a PNG or JPEG file; make it again"
        ) from error


def _text(text: str) -> str:
    """Text made safe in an element and in a quoted attribute."""
    return html.escape(clean(text), quote=True)


def _is_number(cell: str) -> bool:
    """Whether a cell is set like a number; a dash or an empty cell stands for a missing one."""
    bare = cell.strip().replace("\N{MINUS SIGN}", "-").removesuffix("%").rstrip()
    if bare in ("", "-", "\N{EN DASH}", "\N{EM DASH}"):
        return True
    try:
        float(bare)
    except ValueError:
        return False
    return True
