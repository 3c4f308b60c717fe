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
from services.reporting import make_report
from tests.browser.city import build_full_city, write_report
from tests.compass_town import FIRST, build_compass_town
from tests.servers.provision import chromium_path
from tests.servers.running import ServerMissing

pytestmark = pytest.mark.servers

ROOT: Final = Path(__file__).resolve().parents[2]
PICTURES: Final = ROOT / "var" / "report-pictures"
"""Kept after the run, to look at; not under version control."""
PAGES: Final = ("city-fr", "city-en", "junctions-fr")
"""The small city in both languages, and a town of junctions with a service that came in the middle."""
PATIENCE_MS: Final = 180_000
SCREENS: Final = {"desk": (1280, 900), "phone": (390, 844)}
RULES: Final = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each of `PAGES`."""

    async def written() -> dict[str, Path]:
        city = await build_full_city(tmp_path_factory.mktemp("city"))
        (french,), (english,) = await write_report(city, "fr"), await write_report(city, "en")
        town = await build_compass_town(tmp_path_factory.mktemp("town"), junctions=4, days=8)
        (junctions,) = await make_report(
            town.settings,
            start=FIRST,
            end=town.end,
            baseline_start=None,
            baseline_end=None,
            language="fr",
            formats=("html",),
            folder=town.folder / "report",
        )
        return dict(zip(PAGES, (french, english, junctions), strict=True))

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
def opened(browser: Browser, reports: dict[str, Path], name: str, screen: str) -> Iterator[Page]:
    """The report, opened without a network; what the browser complained of is in `page.complaints`."""
    width, height = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=name[-2:], offline=True, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url}"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(reports[name].as_uri())
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
@pytest.mark.parametrize("name", PAGES)
def test_the_page_fits_its_screen_and_the_browser_has_nothing_to_say(opened: Page, name: str, screen: str) -> None:
    """Folded and unfolded nothing is wider than the screen; no message on the console, no request to anywhere."""
    _kept(opened, f"{name}-{screen}")
    for _ in ("folded", "unfolded"):
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


@pytest.mark.parametrize(("name", "screen"), [("city-fr", "phone"), ("city-en", "desk"), ("junctions-fr", "phone")])
def test_nobody_is_kept_out(opened: Page, name: str) -> None:
    """No violation of WCAG 2.1 A and AA or of good practice: contrast, headings, names, tables; all unfolded."""
    _unfold(opened)
    # The rest of the junctions' page is made by the templates of the other.
    part = "#compass4d" if name.startswith("junctions") else None
    found: dict[str, Any] = Axe().run(opened, context=part, options=RULES).response
    told = [
        f"{each['id']} ({each['impact']}): {each['help']}: {each['nodes'][0]['html'][:160]}"
        for each in found["violations"]
    ]
    assert told == []
    assert len(found["passes"]) >= 8, "axe did look"


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
@pytest.mark.parametrize("name", ["city-fr", "junctions-fr"])
def test_a_chart_is_drawn_for_the_screen_and_told_in_a_table(opened: Page, screen: str) -> None:
    """Of two drawings one is shown; letters are 9 pixels high or more; its section tells it in a table or a list."""
    drawings = opened.locator("figure")
    assert drawings.count() >= 6
    for place in range(drawings.count()):
        figure = drawings.nth(place)
        shown = [figure.locator(f".{kind}").is_visible() for kind in ("wide", "narrow")]
        assert shown == [screen == "desk", screen == "phone"]
        smallest = figure.evaluate(
            "f => Math.min(...[...f.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height)"
            ".filter(h => h > 0))"
        )
        assert smallest >= 9, figure.inner_html()[:120]
        assert figure.evaluate("f => f.closest('section').querySelectorAll('table, .absent li').length") >= 1


@pytest.mark.parametrize("screen", ["desk"])
@pytest.mark.parametrize("name", PAGES)
def test_each_theme_is_one_printed_page(opened: Page, name: str, tmp_path: Path) -> None:
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
    (PICTURES / f"{name}.pdf").write_bytes(path.read_bytes())


def _squeezed(text: str) -> str:
    """Letters and digits alone: how lines break and letters join is the printer's business."""
    joined = text.replace("ﬁ", "fi").replace("ﬂ", "fl").replace("ﬀ", "ff").replace("ﬃ", "ffi")
    return re.sub(r"\W+", "", joined)
