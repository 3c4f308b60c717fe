"""What the report promises to those who open it: on a desk, on a phone, on paper, with eyes or without."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

from services.aggregator.kpis.catalogue import THEMES
from services.aggregator.kpis.results import Language
from tests.browser.city import build_full_city, write_report
from tests.servers.provision import chromium_path
from tests.servers.running import ServerMissing

pytestmark = pytest.mark.servers

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURES: Final = ROOT / "var" / "report-pictures"
"""Kept after the run, to look at; not under version control."""
LANGUAGES: Final[tuple[Language, ...]] = ("fr", "en")
PATIENCE_MS: Final = 180_000
SCREENS: Final = {"desk": (1280, 900), "phone": (390, 844)}
RULES: Final = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[Language, Path]:
    """The page in both languages."""

    async def written() -> dict[Language, Path]:
        city = await build_full_city(tmp_path_factory.mktemp("city"))
        return {language: (await write_report(city, language))[0] for language in LANGUAGES}

    with ThreadPoolExecutor(1) as thread:  # Playwright keeps a loop of its own running in this one
        return thread.submit(lambda: asyncio.run(written())).result()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a profile of its own, which goes with it."""
    path = chromium_path()
    if path is None:
        raise ServerMissing("Chromium is not on this machine; run: make servers")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, timeout=PATIENCE_MS)
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, reports: dict[Language, Path], language: Language, screen: str) -> Iterator[Page]:
    """The report, opened without a network; what the browser complained of is in `page.complaints`."""
    width, height = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, offline=True, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url}"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(reports[language].as_uri())
    assert complaints == []
    assert [each for each in asked if not each.startswith(("file:", "data:"))] == []
    yield page
    assert complaints == []
    context.close()


def _unfold(page: Page) -> None:
    """Open all that can be opened: it has to be as good as the rest."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")


def _kept(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_fits_its_screen_and_the_browser_has_nothing_to_say(
    opened: Page, language: Language, screen: str
) -> None:
    """Folded and unfolded nothing is wider than the screen; no message on the console, no request to anywhere."""
    _kept(opened, f"{language}-{screen}")
    for _ in range(2):
        width = SCREENS[screen][0]
        wide = opened.evaluate(
            "width => [...document.querySelectorAll('body *')]"
            ".filter(e => e.getBoundingClientRect().right > width + 1 && !e.closest('.scroll') && !e.closest('.away'))"
            ".map(e => `${e.tagName}.${e.className}: ${e.textContent.trim().slice(0, 40)}`)",
            width,
        )
        assert wide == []
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        _unfold(opened)
    _kept(opened, f"{language}-{screen}-unfolded")


@pytest.mark.parametrize(("language", "screen"), [("fr", "phone"), ("en", "desk")])
def test_nobody_is_kept_out(opened: Page) -> None:
    """No violation of WCAG 2.1 A and AA or of good practice: contrast, headings, names, tables; all unfolded."""
    _unfold(opened)
    found: dict[str, Any] = Axe().run(opened, options=RULES).response
    told = [
        f"{each['id']} ({each['impact']}): {each['help']}: {each['nodes'][0]['html'][:160]}"
        for each in found["violations"]
    ]
    assert told == []
    assert len(found["passes"]) > 20, "axe did look"


def test_axe_would_find_what_keeps_somebody_out(browser: Browser) -> None:
    """Grey on white, a picture without words, a heading that is skipped: so that no violation says something."""
    page = browser.new_page()
    page.set_content(
        "<h1>title</h1><p style='color:#bbb;background:#fff'>pale</p>"
        "<svg role='img' width='9' height='9'></svg><h6>deep</h6>"
    )
    found = {each["id"] for each in Axe().run(page, options=RULES).response["violations"]}
    page.close()
    assert {"color-contrast", "svg-img-alt", "heading-order"} <= found


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("language", ["fr"])
def test_a_chart_is_drawn_for_the_screen_and_told_in_a_table(opened: Page, screen: str) -> None:
    """Of the two drawings one is shown; letters are no smaller than 9 pixels; its section has a table too."""
    drawings = opened.locator("figure")
    assert drawings.count() >= 10
    for place in range(drawings.count()):
        figure = drawings.nth(place)
        shown = [figure.locator(f".{kind}").is_visible() for kind in ("wide", "narrow")]
        assert shown == [screen == "desk", screen == "phone"]
        smallest = figure.evaluate(
            "f => Math.min(...[...f.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)"
            ".filter(h => h > 0))"
        )
        assert smallest >= 9, figure.inner_html()[:120]
        assert figure.evaluate("f => f.closest('section').querySelectorAll('table, .said').length") >= 1


@pytest.mark.parametrize("screen", ["desk"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_each_theme_is_one_printed_page(opened: Page, language: Language, tmp_path: Path) -> None:
    """Five themes, five pages of A4 that hold nothing else: title, figures, scores and the whole list of the rest."""
    path = tmp_path / "report.pdf"
    opened.pdf(path=path, prefer_css_page_size=True, print_background=True)
    pages = [_squeezed(each.extract_text()) for each in PdfReader(path).pages]
    places = []
    for theme in THEMES:
        section = opened.locator(f"#theme-{theme}")
        title = _squeezed(section.locator("h3").first.text_content() or "")
        parts = [_squeezed(each) for each in section.locator(".absent li, tbody th").all_text_contents()]
        assert parts
        (place,) = [number for number, text in enumerate(pages) if text.startswith(title)]
        assert [part for part in parts if part not in pages[place]] == [], f"{theme} is not whole on its page"
        places.append(place)
    assert places == list(range(places[0], places[0] + len(THEMES)))
    after = pages[places[-1] + 1]
    absent = opened.locator("#theme-propagation .absent li").last.text_content() or ""
    assert _squeezed(absent) not in after
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{language}.pdf").write_bytes(path.read_bytes())


def _squeezed(text: str) -> str:
    """Letters and digits alone: how lines break and letters join is the printer's business."""
    joined = text.replace("ﬁ", "fi").replace("ﬂ", "fl").replace("ﬀ", "ff").replace("ﬃ", "ffi")
    return re.sub(r"\W+", "", joined)
