"""The documentation site is built strictly, is complete, and asks nobody else for anything."""

import posixpath
import re
import subprocess
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag

import pytest

from scripts.links import outside_links, trouble_with
from scripts.site.pages import cited, navigation, pages

ROOT = Path(__file__).resolve().parents[1]


class _Links(HTMLParser):
    """Where a page leads, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.loads: list[str] = []
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep addresses."""
        said = dict(attrs)
        if tag == "html":
            self.language = said.get("lang") or ""
        if tag == "a" and said.get("href"):
            self.leads.append(str(said["href"]))
        loaded = said.get("src") or (said.get("href") if tag == "link" else None)
        if loaded:
            self.loads.append(loaded)


def _read(path: Path) -> _Links:
    parser = _Links()
    parser.feed(path.read_text("utf-8"))
    return parser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [str(ROOT / ".venv/bin/properdocs"), "build", "--strict", "--quiet"]
    done = subprocess.run(
        [*command, "--config-file", "scripts/site/properdocs.yml", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_reached_from_the_first(site: Path) -> None:
    """Following links from the home page one comes to every page, and no link of a page leads nowhere."""
    seen, waiting, nowhere = set[str](), ["index.html"], []
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for link in _read(site / name).leads:
            path = unquote(urldefrag(link).url)
            if not path or "://" in path or path.startswith("mailto:"):
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
            if not (site / target).is_file():
                nowhere.append((name, link))
            elif target.endswith(".html"):
                waiting.append(target)
    assert nowhere == []
    there = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert there - seen == set()


def test_every_page_of_the_documentation_is_on_the_site() -> None:
    """What stands under docs, beside the profiles and beside the indicators has a place in the navigation, once."""
    named = [name for names in pages().values() for name in names]
    assert len(named) == len(set(named))
    wanted = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.md", "docs/**/*.md", "services/**/README.md", "deploy/**/README.md")
        for path in ROOT.glob(pattern)
    }
    assert wanted - set(named) == set()


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    """No font, script, style or picture comes from another host, and what a page loads is there, the search too."""
    loaded = {(path.parent, each) for path in site.rglob("*.html") for each in _read(path).loads}
    assert {each for _, each in loaded if re.match(r"[a-z]+:|//", each)} == set()
    assert {each for folder, each in loaded if not (folder / unquote(each)).is_file()} == set()
    assert {path.name for path in (site / "search").iterdir()} >= {
        "main.js",
        "worker.js",
        "lunr.js",
        "search_index.json",
    }
    assert "@import" not in (site / "css/site.css").read_text("utf-8")
    assert "url(" not in (site / "css/site.css").read_text("utf-8")


def test_a_french_page_says_that_it_is_french(site: Path) -> None:
    """Screen readers and browsers are told the language of each page."""
    french = [name for name in pages()["En français"] if name.endswith(".fr.md")]
    assert french
    assert {_read(site / name.replace(".md", ".html")).language for name in french} == {"fr"}
    assert _read(site / "index.html").language == "en"


def test_what_a_page_cites_is_shown() -> None:
    """A module or a schema that a page links to has a page of its own; a page is not cited as a file."""
    found = list(cited(["README.md", "docs/reference/records.md"]))
    assert "services/ingest/pipeline.py" in found
    assert "schemas/json/rejected.json" in found
    assert "docs/adr/README.md" not in list(cited(["README.md", "docs/adr/README.md"]))
    assert navigation({"Home": ["README.md"]}, ["a.py"])[-1] == {"Cited files": [{"a.py": "a.py.shown.md"}]}


class _Answers(BaseHTTPRequestHandler):
    """A site with one page, and one that is closed."""

    def do_GET(self) -> None:
        """Answer by the path."""
        self.send_response({"/there": 200, "/closed": 403}.get(self.path, 404))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is of the base class
        """Say nothing."""


def test_an_outside_link_that_leads_nowhere_is_told() -> None:
    """`make links` finds a page that is gone and a host that is not there, and lets a closed door pass."""
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        at = f"http://127.0.0.1:{server.server_port}"
        assert trouble_with(f"{at}/there") is None
        assert trouble_with(f"{at}/closed") is None
        assert trouble_with(f"{at}/gone") == "answers 404"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert str(trouble_with(f"{at}/there")).startswith("does not answer")
    assert "https://homieiot.github.io/" in outside_links()
