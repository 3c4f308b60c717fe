"""The map of the junctions: SVG from their places alone, no tile and no network. Text stays text."""

from collections.abc import Mapping, Sequence
from math import cos, radians, sqrt
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from services.aggregator.report.charts import Chart, Drawn
from services.aggregator.report.sites import Route, Site

__all__ = ["Mark", "draw_map"]

_SHADES: Final = ("#dcefee", "#a9d5d3", "#66aeb0", "#0b6e74", "#06383f")
_LIGHT: Final = 3
"""From this shade on a number in white can be read."""
_UNKNOWN: Final = "#ffffff"
_INK: Final = "#12303f"
_QUIET: Final = "#566973"
_ROUTE: Final = "#c8823c"
_LEAST_R: Final = 10.0
_MOST_R: Final = 20.0
_EDGE: Final = 34.0
_FLAT: Final = 0.55
_TALL: Final = 0.9


class Mark(NamedTuple):
    """A junction on the map: its number in the table, passages, and the mean delay with its words; or `None`."""

    number: int
    passages: float
    delay_s: float | None
    label: str


class _Frame:
    """From degrees to the picture: north is up, a metre is as long in both directions."""

    def __init__(self, sites: Sequence[Site], width: float) -> None:
        self.width = width
        middle = sum(each.latitude_deg for each in sites) / len(sites)
        self._across = cos(radians(middle))
        xs = [each.longitude_deg * self._across for each in sites]
        ys = [each.latitude_deg for each in sites]
        inner = width - 2 * _EDGE
        wide, tall = max(xs) - min(xs) or 0.001, max(ys) - min(ys) or 0.001
        self._scale = min(inner / wide, _TALL * width / tall)
        self.height = max(_FLAT * width, tall * self._scale + 2 * _EDGE)
        self._left = (width - wide * self._scale) / 2 - min(xs) * self._scale
        self._top = (self.height + tall * self._scale) / 2 + min(ys) * self._scale

    def place(self, site: Site) -> tuple[float, float]:
        return site.longitude_deg * self._across * self._scale + self._left, self._top - site.latitude_deg * self._scale


def draw_map(
    chart: Chart, sites: Sequence[Site], marks: Mapping[str, Mark], routes: Sequence[Route], words: Mapping[str, str]
) -> Drawn:
    """The junctions as numbered circles, corridors as lines through them, and the scale of colours.

    Args:
        chart: its id, title and description.
        sites: at least one.
        marks: by id of the junction; one without stands there as not told.
        routes: corridors; junctions without a place are left out of them.
        words: of the page.
    """
    known = sorted(mark.delay_s for mark in marks.values() if mark.delay_s is not None)
    drawings = []
    for suffix, width in (("w", 640.0), ("n", 340.0)):
        frame = _Frame(sites, width)
        parts = [*_routes(frame, sites, routes), *_circles(frame, sites, marks, known), *_scale(frame, known, words)]
        drawings.append(_picture(chart, suffix, frame, parts))
    return Drawn(*drawings)


def _picture(chart: Chart, suffix: str, frame: _Frame, parts: Sequence[str]) -> Markup:
    prefix, height = f"{chart.id}-{suffix}", frame.height + 46
    named = f'role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {frame.width:.0f} {height:.0f}" {named}>'
    words = (
        f'<title id="{prefix}-title">{escape(chart.title)}</title>'
        f'<desc id="{prefix}-desc">{escape(chart.description)}</desc>'
    )
    return Markup(head + words + "".join(parts) + "</svg>")  # noqa: S704 - drawn here, all words are escaped


def _routes(frame: _Frame, sites: Sequence[Site], routes: Sequence[Route]) -> list[str]:
    places = {each.id: frame.place(each) for each in sites}
    lines = []
    for route in routes:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (places[name] for name in route.junctions if name in places))
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{_ROUTE}" stroke-width="5" stroke-opacity=".55" '
            'stroke-linecap="round" stroke-linejoin="round"/>'
        )
    return lines


def _circles(frame: _Frame, sites: Sequence[Site], marks: Mapping[str, Mark], known: Sequence[float]) -> list[str]:
    most = max((mark.passages for mark in marks.values()), default=0.0) or 1.0
    circles = []
    # Small ones are drawn last, over large ones that they touch.
    for site in sorted(sites, key=lambda each: -marks[each.id].passages if each.id in marks else 0.0):
        x, y = frame.place(site)
        mark = marks.get(site.id)
        if mark is None:
            continue
        radius = _LEAST_R + (_MOST_R - _LEAST_R) * sqrt(mark.passages / most)
        shade = _shade(mark.delay_s, known)
        fill = _UNKNOWN if shade is None else _SHADES[shade]
        dash = ' stroke-dasharray="3 2"' if shade is None else ""
        ink = "#ffffff" if shade is not None and shade >= _LIGHT else _INK
        edge = f'fill="{fill}" stroke="{_INK}" stroke-width="1.2"{dash}'
        circles.append(
            f"<g><title>{escape(f'{mark.number}. {site.name}: {mark.label}')}</title>"
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {edge}/>'
            f'<text x="{x:.1f}" y="{y + 4.2:.1f}" text-anchor="middle" font-size="12" font-weight="700" fill="{ink}">'
            f"{mark.number}</text></g>"
        )
    return circles


def _shade(delay_s: float | None, known: Sequence[float]) -> int | None:
    """Which of the five shades: in equal steps from the shortest to the longest delay."""
    if delay_s is None:
        return None
    low, high = known[0], known[-1]
    if high <= low:
        return len(_SHADES) // 2
    return min(len(_SHADES) - 1, int((delay_s - low) / (high - low) * len(_SHADES)))


def _scale(frame: _Frame, known: Sequence[float], words: Mapping[str, str]) -> list[str]:
    """North, and what the shades mean."""
    x, y = frame.width - 18, frame.height + 12
    bold = f'font-size="12" font-weight="700" fill="{_QUIET}"'
    arrow = f'<path d="M{x:.0f} 26v22m-5-15 5-8 5 8" fill="none" stroke="{_QUIET}" stroke-width="1.6"/>'
    parts = [f'<text x="{x:.0f}" y="20" text-anchor="middle" {bold}>{escape(words["map_north"])}</text>', arrow]
    if known:
        ends = f"{known[0]:.0f} s", f"{known[-1]:.0f} s"
        parts.append(_word(_EDGE, y + 24, f"{words['map_scale']} {ends[0]}"))
        start = _EDGE + 118
        parts += [
            f'<rect x="{start + 22 * number}" y="{y + 12}" width="22" height="15" fill="{shade}" stroke="{_INK}" '
            'stroke-width=".6"/>'
            for number, shade in enumerate(_SHADES)
        ]
        parts.append(_word(start + 22 * len(_SHADES) + 7, y + 24, ends[1]))
    return parts


def _word(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="12" fill="{_QUIET}">{escape(text)}</text>'
