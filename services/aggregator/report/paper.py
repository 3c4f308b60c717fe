"""The report on paper: A4, set from the same data as the page, by fpdf2, in the typeface that comes with matplotlib."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from services.aggregator.report.model import Assessed, Missing, Report
from services.aggregator.report.said import amount, target_text, trend_text
from services.aggregator.report.texts import QUALITY, words
from services.aggregator.report.themes import citykeys_view
from services.aggregator.report.wording import day, days, number, percent

__all__ = ["pdf_bytes"]

_FONT: Final = "DejaVu"
_RIVER: Final = (11, 110, 116)
_INK: Final = (28, 40, 48)
_QUIET: Final = (84, 97, 107)


class _Paper(FPDF):
    def __init__(self, language: str, footer: str) -> None:
        super().__init__(format="A4")
        folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self.add_font(_FONT, "", folder / "DejaVuSans.ttf")
        self.add_font(_FONT, "B", folder / "DejaVuSans-Bold.ttf")
        self.set_lang(language)
        self.set_auto_page_break(True, margin=18)
        self.set_margin(16)
        self.set_creator("Garonne")
        self._footer = footer

    def footer(self) -> None:
        """The day and the page number."""
        self.set_y(-13)
        self._style(8, colour=_QUIET)
        self.cell(0, 5, f"{self._footer}  {self.page_no()}/{{nb}}", align="C")

    def _style(self, size: float, *, bold: bool = False, colour: tuple[int, int, int] = _INK) -> None:
        self.set_font(_FONT, "B" if bold else "", size)
        self.set_text_color(*colour)

    def title_line(self, text: str, level: int) -> None:
        """A heading, which is also a bookmark."""
        self.ln(3 if level else 0)
        if self.will_page_break(30):
            self.add_page()
        self.start_section(text, level=min(level, 2), strict=False)
        self._style((20, 15, 11.5)[min(level, 2)], bold=True, colour=_RIVER)
        self._written(text, 8 if level < 2 else 6)
        self.ln(1)

    def words(self, text: str, *, size: float = 9.5, quiet: bool = False, bold: bool = False) -> None:
        """A paragraph."""
        self._style(size, bold=bold, colour=_QUIET if quiet else _INK)
        self._written(text, size * 0.5)

    def _written(self, text: str, height: float) -> None:
        self.multi_cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def pdf_bytes(report: Report) -> bytes:
    """The file; the same report gives the same bytes."""
    text, language = words(report.language), report.language
    paper = _Paper(language, text["made"].format(day=day(report.generated_on, language)))
    made = report.generated_on
    paper.set_creation_date(datetime(made.year, made.month, made.day, tzinfo=UTC))
    paper.set_title(text["title"])
    paper.add_page()
    paper.title_line(text["title"], 0)
    last = report.period.end.fromordinal(report.period.end.toordinal() - 1)
    paper.words(days(report.period.start, last, text, language), size=12)
    _figures(paper, report)
    _charter(paper, report)
    _citykeys(paper, report)
    _entered(paper, report)
    _missing(paper, report)
    paper.ln(4)
    paper.words(text[f"privacy_{report.audience}"], quiet=True)
    return bytes(paper.output())


def _figures(paper: _Paper, report: Report) -> None:
    text = words(report.language)
    title = ""
    for entry in report.entries:
        if isinstance(entry, Assessed):
            if entry.title != title:
                title = entry.title
                paper.title_line(title, 1)
            _figure(paper, entry, report)
    if not title:
        paper.words(text["nothing"])


def _figure(paper: _Paper, entry: Assessed, report: Report) -> None:
    text, language = words(report.language), report.language
    variant = text.get(f"variant_{entry.variant}", entry.variant)
    paper.words(f"{entry.subject.label} ({variant}): {_value(entry.value, entry.unit, report)}", bold=True)
    notes = [f"{text['coverage']}: {percent(100 * entry.coverage, language, 0)}"]
    if entry.interval is not None:
        low, high = (_value(each, entry.unit, report) for each in (entry.interval.low, entry.interval.high))
        notes.append(text["interval"].format(low=low, high=high))
    if entry.target is not None:
        notes.append(text["goal"].format(goal=target_text(entry.target, language, entry.unit)))
    if entry.trend is not None:
        notes.append(text["ck_label"].format(name=text["trend"], count=trend_text(entry, text, language)))
    notes += [QUALITY[entry.quality].in_language(language), f"{text['formula']}: {entry.formula}", *entry.limits]
    if entry.subject.kind == "programme":
        paper.words(". ".join(note.rstrip(".") for note in notes) + ".", size=8, quiet=True)
    else:
        paper.words(", ".join(notes[:2]) + ".", size=8, quiet=True)
    paper.ln(1.2)


def _value(value: float, unit: str, report: Report) -> str:
    return amount(value, unit, words(report.language), report.language)


def _citykeys(paper: _Paper, report: Report) -> None:
    text = words(report.language)
    view = citykeys_view(report, text, drawn=False)
    if view is None:
        return
    paper.title_line(text["citykeys"], 1)
    paper.words(view["lead"])
    for theme in view["themes"]:
        _theme(paper, theme, text)
    paper.add_page()


def _theme(paper: _Paper, theme: Mapping[str, Any], text: Mapping[str, str]) -> None:
    """A page of its own: figures with goal and direction, scores, and all the rest with the reason."""
    paper.add_page()
    paper.title_line(theme["title"], 2)
    paper.words(f"{theme['about']} {theme['story']}", quiet=True)
    for figure in theme["figures"]:
        paper.words(f"{figure['title']} ({figure['level']}), {figure['variant']}: {figure['value']}", bold=True)
        notes = [("", figure["interval"]), (text["target"], figure["target"]), (text["trend"], figure["trend"])]
        said = [text["ck_label"].format(name=name, count=each) if name else each for name, each in notes if each]
        paper.words("; ".join(said), size=8, quiet=True)
    for score in theme["scores"]:
        paper.words(f"{score['title']} ({score['level']}): {score['value']}", bold=True)
        paper.words(f"{score['justification']} ({score['by']})", size=8.5)
    for absent in theme["absent"]:
        paper.words(absent["explanation"], size=8, bold=True)
        paper.words(" · ".join(absent["titles"]), size=7.5, quiet=True)
        paper.ln(0.8)


def _charter(paper: _Paper, report: Report) -> None:
    """The four commitments, each with what was entered and counted."""
    text = words(report.language)
    if report.charter:
        paper.title_line(text["charter"], 1)
    for each in report.charter:
        paper.title_line(f"{each.number}. {each.title}", 2)
        for said in each.statements:
            line = text["ck_label"].format(name=said.title, count=said.text)
            paper.words(f"{line} ({text[f'origin_{said.origin}']})")
        for pilot in each.pilots:
            part = "–" if pilot.taking_part is None else number(pilot.taking_part, report.language)
            paper.words(f"{pilot.title}: {part} {pilot.counted}", quiet=True)


def _entered(paper: _Paper, report: Report) -> None:
    """What the city entered, with day and source."""
    text, language, entered = words(report.language), report.language, report.entered
    if entered is None:
        return
    paper.title_line(text["entered_title"], 1)
    paper.words(text["entered_lead"].format(edition=entered.edition), quiet=True)
    for each in entered.quantities:
        value = amount(each.value, each.unit, text, language)
        paper.words(f"{each.title}: {value} ({day(each.day, language)}; {each.source})", size=8.5)
    for target in entered.targets:
        paper.words(f"{target.title}: {target_text(target, language)} ({target.source})", size=8.5)


def _missing(paper: _Paper, report: Report) -> None:
    text = words(report.language)
    missing = [each for each in report.entries if isinstance(each, Missing)]
    if missing:
        paper.title_line(text["missing_title"], 1)
    for each in missing:
        variant = text.get(f"variant_{each.variant}", each.variant)
        paper.words(f"{each.title} ({variant}), {each.subject.label}: {each.explanation}", size=8.5)
