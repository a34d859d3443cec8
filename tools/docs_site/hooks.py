"""Hooks of MkDocs: pages that are not in docs/, and links that leave docs/.

The Markdown in docs/ stays readable as it is, with links as on a code host. The site adds the
README, the changelog, what to do to contribute, and three references that are made from the
program. A link to a file of the repository that is no page becomes a download; to one that does not
exist, an error.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "src"))

from tools.docs_site.http_reference import http_reference  # noqa: E402
from tools.docs_site.python_reference import python_reference  # noqa: E402

from mien.cli.parser import build_parser  # noqa: E402
from mien.cli.reference.markdown import command_reference  # noqa: E402
from mien.cli.reference.tree import read_commands  # noqa: E402

PAGES = {
    "README.md": "index.md",
    "README.zh.md": "index.zh.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""A file of the repository -> its page."""
LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
OTHER_NAV = "More"


def on_config(config: Any) -> Any:
    """Put the pages of docs/ that the navigation lacks at its end: every page can be found."""
    listed = set(_listed(config.nav))
    lost = sorted(one.name for one in (ROOT / "docs").glob("*.md") if one.name not in listed)
    if lost:
        config.nav.append({OTHER_NAV: lost})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from elsewhere and the references."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(
            File.generated(config, page, content=_moved(text, source, page, files, config))
        )
    generated = {
        "reference/commands.md": command_reference(read_commands(build_parser())),
        "reference/http.md": http_reference(),
        "reference/python.md": python_reference(),
    }
    for page, text in generated.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links of docs/ that leave it."""
    path = page.file.src_uri
    if page.file.generated_by is not None:
        return markdown
    return _moved(markdown, f"docs/{path}", path, files, config)


def _listed(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    values = nav.values() if isinstance(nav, dict) else nav
    return [page for one in values for page in _listed(one)]


def _moved(text: str, source: str, page: str, files: Files, config: Any) -> str:
    """The Markdown of a file of the repository, with its links as the page needs them."""

    def link(match: re.Match[str]) -> str:
        target = match[2]
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        whole = (ROOT / source).parent.joinpath(target).resolve()
        if not whole.is_relative_to(ROOT) or not whole.exists():
            raise PluginError(f"{source} links to {target}, which does not exist")
        name = whole.relative_to(ROOT).as_posix()
        return match[1] + _place(name, page, files, config) + match[3]

    return LINK.sub(link, text)


def _place(name: str, page: str, files: Files, config: Any) -> str:
    """The address of a file of the repository, seen from a page."""
    if name in PAGES:
        place = PAGES[name]
    elif name.startswith("docs/"):
        place = name.removeprefix("docs/")
    else:
        place = f"files/{name}"
        if files.get_file_from_path(place) is None and (ROOT / name).is_file():
            content = (ROOT / name).read_bytes()
            files.append(File.generated(config, place, content=content))
    return "../" * page.count("/") + place
