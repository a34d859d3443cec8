"""The report file: one piece, safe against hostile names, readable without seeing."""

from __future__ import annotations

import base64
import io
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import MissingExtra, UsageError
from mien.lab.plots.dark import dark_twin
from mien.lab.report.html import Picture, ReportSection, Table, write_report

VOID = {"meta", "img", "source", "br", "link", "hr", "input"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=https://evil.example/x.png onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></main><iframe src=//evil.example>",
    "&lt;b&gt; &amp; &#60;",
    "javascript:alert(1)",
    "line\nbreak\x00\x1b[31m",
    "\u202egnp.exe",
    "\udcff\udcfe.jpg",
    "李小龍 محمد نरेन्द्र 😀",
)


class Page(HTMLParser):
    """All tags with their attributes, and the text of each kind of element."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.texts.setdefault(self._open[-1], []).append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def square(tmp_path: Path) -> Path:
    path = tmp_path / "square.png"
    Image.fromarray(np.full((40, 60, 3), (200, 30, 30), np.uint8)).save(path)
    return path


def test_the_file_is_report_html_in_the_folder_which_is_made(tmp_path: Path) -> None:
    path = write_report(tmp_path / "new" / "deep", "Title", [])
    assert path == tmp_path / "new" / "deep" / "report.html"
    assert path.read_text(encoding="utf-8").startswith('<!DOCTYPE html>\n<html lang="en">')


def test_nothing_is_loaded_from_outside(tmp_path: Path, square: Path) -> None:
    source = _source(tmp_path, [_full_section("Heading", square)] * 3)
    assert "://" not in source
    assert "url(" not in source
    assert "@import" not in source
    page = Page(source)
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {t for t, _ in page.tags}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            if name in ("src", "href", "srcset", "action", "poster", "background"):
                assert value.startswith(("data:image/", "#section-")), (tag, name)
            assert not name.startswith("on")
            assert name != "style"


def test_the_page_forbids_itself_scripts_and_the_network(tmp_path: Path) -> None:
    policy = [
        meta["content"]
        for meta in Page(_source(tmp_path, [])).all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policy) == 1
    assert "default-src 'none'" in policy[0]
    assert "script" not in policy[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_and_adds_no_tag(name: str, tmp_path: Path, square: Path) -> None:
    tame = Page(_source(tmp_path, [_full_section("plain", square)] * 3, note="n", footer="f"))
    hostile = Page(_source(tmp_path, [_full_section(name, square)] * 3, note=name, footer=name))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
    assert [set(a) for _, a in hostile.tags] == [set(a) for _, a in tame.tags]


def test_a_name_reads_in_the_page_as_it_was_given(tmp_path: Path, square: Path) -> None:
    page = Page(_source(tmp_path, [_full_section("<b> & \"q\" 'a' 李", square)]))
    assert page.texts["h2"] == ["<b> & \"q\" 'a' 李"]
    assert page.all("img")[0]["alt"] == "<b> & \"q\" 'a' 李"


def test_characters_that_change_the_writing_direction_are_replaced(tmp_path: Path) -> None:
    source = _source(tmp_path, [ReportSection("\u202egnp.exe \x00 \udcff")])
    assert "\u202e" not in source
    assert Page(source).texts["h2"] == ["\ufffdgnp.exe \ufffd \ufffd"]


def test_a_picture_is_inlined_byte_for_byte_with_its_size(tmp_path: Path, square: Path) -> None:
    image = Page(_source(tmp_path, [_full_section("x", square)])).all("img")[0]
    head, code = image["src"].split(",", 1)
    assert head == "data:image/png;base64"
    assert base64.b64decode(code, validate=True) == square.read_bytes()
    assert (image["width"], image["height"]) == ("60", "40")
    with Image.open(io.BytesIO(base64.b64decode(code))) as opened:
        assert opened.getpixel((5, 5)) == (200, 30, 30)


def test_the_dark_twin_of_a_chart_is_shown_to_whoever_asked_for_dark_colours(
    tmp_path: Path, square: Path
) -> None:
    assert Page(_source(tmp_path, [_full_section("x", square)])).all("source") == []
    twin = dark_twin(square)
    Image.new("RGB", (60, 40), (1, 2, 3)).save(twin)
    [source] = Page(_source(tmp_path, [_full_section("x", square)])).all("source")
    assert source["media"] == "(prefers-color-scheme: dark)"
    assert base64.b64decode(source["srcset"].split(",", 1)[1]) == twin.read_bytes()


def test_every_picture_has_an_alt_text(tmp_path: Path, square: Path) -> None:
    assert all(i["alt"] for i in Page(_source(tmp_path, [_full_section("x", square)])).all("img"))
    with pytest.raises(ValueError, match="alt text"):
        Picture(square, "  ")


def test_tables_say_which_cells_are_headers(tmp_path: Path) -> None:
    table = Table(("pair", "mean"), (("same", "0.72"), ("other", "\N{MINUS SIGN}0.02")), "Cosines")
    page = Page(_source(tmp_path, [ReportSection("Numbers", table=table)]))
    scopes = [header["scope"] for header in page.all("th")]
    assert scopes == ["col", "col", "row", "row"]
    assert page.texts["caption"] == ["Cosines"]
    assert page.texts["td"] == ["0.72", "\N{MINUS SIGN}0.02"]
    assert [cell.get("class") for cell in page.all("td")] == ["number", "number"]


def test_a_column_with_words_is_not_marked_as_numbers(tmp_path: Path) -> None:
    table = Table(("a", "b"), (("x", "1.0"), ("y", "none")))
    page = Page(_source(tmp_path, [ReportSection("s", table=table)]))
    assert [cell.get("class") for cell in page.all("td")] == [None, None]


def test_a_row_of_another_length_than_the_header_is_refused() -> None:
    with pytest.raises(ValueError, match="row 1 has 3 cells, the header 2"):
        Table(("a", "b"), (("1", "2"), ("1", "2", "3")))


def test_blank_lines_separate_paragraphs(tmp_path: Path) -> None:
    page = Page(_source(tmp_path, [ReportSection("s", "first\n\n\n\nsecond\nline")]))
    assert page.texts["p"] == ["first", "second line"]


def test_a_note_comes_before_the_sections_and_has_the_role_note(tmp_path: Path) -> None:
    source = _source(tmp_path, [ReportSection("First")], note="This is the small demo.")
    page = Page(source)
    assert page.all("p")[0] == {"class": "note", "role": "note"}
    assert source.index("small demo") < source.index("First")
    assert "note" not in [p.get("class") for p in Page(_source(tmp_path, [])).all("p")]


def test_the_page_follows_the_colour_scheme_and_the_width_of_a_phone(
    tmp_path: Path,
) -> None:
    source = _source(tmp_path, [])
    assert "prefers-color-scheme: dark" in source
    assert "max-width: 40rem" in source
    assert 'name="viewport" content="width=device-width' in source


def test_contents_link_to_every_section(tmp_path: Path) -> None:
    page = Page(_source(tmp_path, [ReportSection(str(at)) for at in range(4)]))
    links = [link["href"] for link in page.all("a")]
    assert links == ["#section-1", "#section-2", "#section-3", "#section-4"]
    assert [heading["id"] for heading in page.all("h2")] == [link[1:] for link in links]


@pytest.mark.parametrize("content", [b"", b"<svg onload=alert(1)>", b"GIF89a"])
def test_a_file_that_is_not_a_png_or_jpeg_is_refused_by_name(
    content: bytes, tmp_path: Path
) -> None:
    bad = tmp_path / "bad\nname.png"
    bad.write_bytes(content)
    with pytest.raises(UsageError, match=r"bad\\nname.png'.*not a PNG or JPEG") as caught:
        _source(tmp_path, [ReportSection("s", pictures=(Picture(bad, "alt"),))])
    assert "\n" not in str(caught.value)


def test_a_report_that_fails_leaves_the_old_one_in_place(tmp_path: Path) -> None:
    old = write_report(tmp_path, "old", []).read_bytes()
    with pytest.raises(UsageError):
        _source(tmp_path, [ReportSection("s", pictures=(Picture(tmp_path / "gone.png", "alt"),))])
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == old


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match="choose another folder"):
        write_report(tmp_path / "file", "t", [])


def test_a_report_without_jinja_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"pip install '.*\[lab\]'"):
        write_report(tmp_path, "t", [])
    assert not list(tmp_path.iterdir())


def _full_section(text: str, picture: Path) -> ReportSection:
    table = Table((text, text), ((text, text),), text)
    return ReportSection(text, text, table, (Picture(picture, text, text),))


def _source(
    folder: Path, sections: list[ReportSection], *, note: str = "", footer: str = ""
) -> str:
    path = write_report(folder, "Title", sections, note=note, footer=footer)
    return path.read_bytes().decode("utf-8")
