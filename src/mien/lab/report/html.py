"""A report as one HTML file that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import UsageError, missing_extra, quote_path
from mien.lab.labels import clean_text
from mien.lab.plots.dark import dark_twin
from mien.lab.report.output import write_output

if TYPE_CHECKING:
    from jinja2 import Template

FILE_NAME, TEMPLATE_NAME = "report.html", "report.html"
PICTURE_KINDS = {"PNG": "image/png", "JPEG": "image/jpeg"}
WIDE_PX = 900  # wider pictures would be unreadable shrunk to a phone; they scroll sideways there

# Even if an escape were forgotten somewhere, a browser under this rule loads and runs nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'"


@dataclass(frozen=True, slots=True)
class Table:
    """Column names, then rows of the same length. The first cell of a row is its header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for at, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(f"row {at} has {len(row)} cells, the header {len(self.header)}")

    @property
    def numeric_columns(self) -> tuple[bool, ...]:
        """Whether there are cells in each column and all are numbers."""
        columns = [[row[at] for row in self.rows] for at in range(len(self.header))]
        return tuple(bool(cells) and all(map(_is_number, cells)) for cells in columns)


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or JPEG file. alt: what it shows, in words, for those who cannot see it.

    A chart's dark twin beside it is shown to whoever asked for dark colours.
    """

    path: Path
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not self.alt.strip():
            raise ValueError("a picture in a report needs an alt text")


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A heading, text (blank lines separate paragraphs), then a table, then pictures."""

    heading: str
    text: str = ""
    table: Table | None = None
    pictures: tuple[Picture, ...] = ()


def expect_report_packages() -> None:
    """Raise MissingExtra if a report could not be drawn, before hours of work are lost."""
    for module, name in (("matplotlib", "matplotlib"), ("jinja2", "Jinja")):
        if find_spec(module) is None:
            raise missing_extra(f"reports need {name}", "lab")


def write_report(
    folder: str | os.PathLike[str],
    title: str,
    sections: Sequence[ReportSection],
    *,
    note: str = "",
    footer: str = "",
) -> Path:
    """Write `report.html` into the folder, whole or not at all, and return its path.

    note: shown prominently under the title, for instance that this is only the
    small demo. footer: a last line, for instance version and seed. All texts
    may come from strangers: they are shown, never interpreted.
    Raises MissingExtra without Jinja, UsageError for a picture that cannot be read or a
    folder that cannot be written.
    """
    texts = {"policy": POLICY, "title": title, "note": note, "footer": footer}
    shown = [_ShownSection.of(section) for section in sections]
    page = _template().render(sections=shown, **texts)
    return write_output(Path(folder) / FILE_NAME, page.encode("utf-8"))


@dataclass(frozen=True, slots=True)
class _ShownPicture:
    """What the template asks of a picture. source: the whole file as a data URL.

    dark: the same of its dark twin, empty where there is none.
    """

    source: str
    dark: str
    alt: str
    caption: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        return self.width > WIDE_PX

    @classmethod
    def of(cls, picture: Picture) -> _ShownPicture:
        source, width, height = _read_picture(picture.path)
        twin = dark_twin(Path(picture.path))
        dark = _read_picture(twin)[0] if twin.is_file() else ""
        return cls(source, dark, picture.alt, picture.caption, width, height)


@dataclass(frozen=True, slots=True)
class _ShownSection:
    """What the template asks of a section."""

    heading: str
    paragraphs: tuple[str, ...]
    table: Table | None
    pictures: tuple[_ShownPicture, ...]

    @classmethod
    def of(cls, section: ReportSection) -> _ShownSection:
        paragraphs = tuple(part for part in section.text.split("\n\n") if part.strip())
        pictures = tuple(map(_ShownPicture.of, section.pictures))
        return cls(section.heading, paragraphs, section.table, pictures)


def _template() -> Template:
    """The page. Every text is cleaned, then escaped; a name that is missing is an error."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise missing_extra("reports need Jinja", "lab") from error
    environment = Environment(
        loader=PackageLoader("mien.lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE_NAME)


def _cleaned(value: object) -> object:
    # what a macro made is markup, escaped already
    return clean_text(value) if type(value) is str else value


def _read_picture(path: Path) -> tuple[str, int, int]:
    """The file as a data URL, width and height."""
    from PIL import Image

    try:
        data = Path(path).read_bytes()
        with Image.open(io.BytesIO(data), formats=tuple(PICTURE_KINDS)) as opened:
            kind = PICTURE_KINDS[opened.format or ""]
            source = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
            return source, opened.width, opened.height
    except (OSError, KeyError) as error:  # Pillow's "cannot identify" is an OSError
        raise UsageError(
            f"cannot show {quote_path(path)} in a report: not a PNG or JPEG file; make it again"
        ) from error


def _is_number(cell: str) -> bool:
    """Whether a cell is a number; a dash or an empty cell stands for a missing one."""
    bare = cell.strip().replace("\N{MINUS SIGN}", "-").removesuffix("%").rstrip()
    if bare in ("", "-", "\N{EN DASH}", "\N{EM DASH}"):
        return True
    try:
        float(bare)
    except ValueError:
        return False
    return True
