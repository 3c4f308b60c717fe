"""Which pages the documentation site has: those of the repository, at the paths that they have there.

So a relative link is right in the repository and on the site. What a page cites and is no page itself, such as a module
or a schema, becomes a page that shows it; a picture is copied.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from properdocs.config.defaults import ProperDocsConfig
from properdocs.structure.files import File, Files
from properdocs.structure.pages import Page

__all__ = ["cited", "navigation", "on_config", "on_files", "on_page_content", "on_page_markdown", "pages"]

ROOT: Final = Path(__file__).resolve().parents[2]
_PICTURES: Final = {".svg", ".png"}
_LINK: Final = re.compile(r"(\]\()([^)#\s]+)")
_FENCE: Final = re.compile(r"^(\s*```\w+)[^\n`]*$", re.MULTILINE)
_SHOWN: Final = ".shown.md"
"""After the path of a file that is cited: the page that shows it."""

_FIRST: Final = {
    "Use": ("docs/README.md", "docs/operations/guide.md"),
    "Operate": (
        "docs/runbook.md",
        "docs/accounting.md",
        "docs/operations/*.md",
        "deploy/README.md",
        "deploy/**/README.md",
    ),
    "Private and closed": (
        "docs/security/*.md",
        "docs/attacks.md",
        "docs/privacy/retention-and-erasure.md",
        "docs/privacy/*.md",
    ),
    "En français": ("docs/**/*.fr.md",),
    "Develop": (
        "docs/development/guide.md",
        "CONTRIBUTING.md",
        "tests/dashboards/README.md",
        "docs/faults.md",
        "docs/accuracy-of-passages.md",
        "docs/performance.md",
        "docs/*.md",
    ),
    "Reference": ("docs/reference/*.md",),
    "Decisions": ("docs/adr/README.md", "docs/adr/0*.md"),
    "Meters and vehicles": ("services/ingest/declarative/README.md", "services/ingest/profiles/*/README.md"),
    "Indicators": ("services/aggregator/kpis/**/README.md",),
    "Changes": ("CHANGELOG.md",),
}
"""Sections of the site in their order, with what they hold; a page stands where it is named first."""


def pages() -> dict[str, list[str]]:
    """The pages by section; paths are relative to the repository."""
    sections: dict[str, list[str]] = {"Home": ["README.md"]}
    seen = {"README.md"}
    for title, patterns in _FIRST.items():
        found = (path.relative_to(ROOT).as_posix() for each in patterns for path in sorted(ROOT.glob(each)))
        french = title == "En français"
        sections[title] = [path for path in dict.fromkeys(found) if path not in seen and _is_french(path) == french]
        seen.update(sections[title])
    return sections


def cited(names: Iterable[str]) -> Iterator[str]:
    """Files that pages link to and that are no pages themselves, once each."""
    names = tuple(names)
    found = {target for name in names for target in _targets(name, (ROOT / name).read_text("utf-8"))}
    return iter(sorted(path for path in found - set(names) if (ROOT / path).is_file()))


def navigation(sections: dict[str, list[str]], shown: list[str]) -> list[dict[str, Any]]:
    """The navigation as ProperDocs wants it; a page has its first heading for a title."""
    rows = [{title: list(names)} for title, names in sections.items() if names]
    return [*rows, {"Cited files": [{path: path + _SHOWN} for path in shown]}] if shown else rows


def on_config(config: ProperDocsConfig) -> ProperDocsConfig:
    """Put the navigation together."""
    sections = pages()
    shown = [path for path in cited(_all(sections)) if Path(path).suffix not in _PICTURES]
    config.nav = navigation(sections, shown)
    return config


def on_files(files: Files, config: ProperDocsConfig) -> Files:
    """The pages of the repository, and what they cite, instead of one folder."""
    names = _all(pages())
    kept = [each for each in files if each.src_dir != config.docs_dir]  # of the theme, and of the search
    found = [File.generated(config, name, abs_src_path=os.fspath(ROOT / name)) for name in names]
    for path in cited(names):
        if Path(path).suffix in _PICTURES:
            found.append(File.generated(config, path, abs_src_path=os.fspath(ROOT / path)))
        else:
            found.append(File.generated(config, path + _SHOWN, content=_shown(path)))
    return Files([*kept, *found])


def on_page_markdown(markdown: str, *, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """Links to what is shown by a page lead to that page; what follows a fence's language is for our tests alone."""
    del config
    here = posixpath.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, match[2]))
        return match[0] + _SHOWN if files.get_file_from_path(path + _SHOWN) else match[0]

    return _LINK.sub(link, _FENCE.sub(r"\1", markdown))


def on_page_content(html: str, *, page: Page, config: ProperDocsConfig, files: Files) -> str:
    """The language of a page, for the theme and for whoever listens; what is wide can be moved by keys, too."""
    del config, files
    page.meta["lang"] = "fr" if _is_french(page.file.src_uri) else "en"
    html = html.replace("<pre>", '<pre tabindex="0">')
    return html.replace("<table>", '<div class="wide" tabindex="0"><table>').replace("</table>", "</table></div>")


def _all(sections: dict[str, list[str]]) -> list[str]:
    return [name for names in sections.values() for name in names]


def _is_french(path: str) -> bool:
    return path.endswith(".fr.md")


def _targets(name: str, text: str) -> Iterator[str]:
    for _, target in _LINK.findall(text):
        if "://" not in target and not target.startswith("mailto:"):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(name), target))


def _shown(path: str) -> str:
    """A page that shows a file as it is."""
    text = (ROOT / path).read_text("utf-8").rstrip()
    return f"# {posixpath.basename(path)}\n\n`{path}`\n\n````\n{text}\n````\n"
