"""From a message of the panel to the report: the whole way, without servers."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.envelope import Event
from services.aggregator.points import TAGS, raw_point
from services.ingest.profiles import Message
from services.reporting import make_report
from tests.cases import normaliser
from tests.report_city import BASELINE, END, START, City, build_city

AT = datetime(2025, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
async def city(tmp_path: Path) -> City:
    """A city without any answer yet."""
    return await build_city(tmp_path)


def answers(application: str, members: int, version: str | None = None) -> list[Event]:
    """Each member is as content as can be, and adds a name in free text."""
    read = normaliser(ZoneInfo("Europe/Paris"), {})
    events: list[Event] = []
    for number in range(members):
        for kind, data in (
            ("survey.sus.submitted", {"answers": [5, 1] * 5, "comment": "Marie Dupont"}),
            ("task.completed", {"task": "buy", "success": True, "duration_s": 20, "comment": "Marie Dupont"}),
            ("survey.csat", {"rating": 4}),
            ("survey.nps", {"score": 9}),
        ):
            event = {
                "specversion": "1.0",
                "type": f"fr.bordeaux.pionniers.{kind}",
                "time": AT.isoformat(),
                "data": data if version is None else {**data, "version": version},
            }
            message = Message(
                f"pionniers/{application}/marie-{number}/events", json.dumps(event).encode(), AT + timedelta(seconds=2)
            )
            events += read(message).events
    return events


async def test_what_members_say_is_in_the_report_and_who_they_are_is_not(city: City) -> None:
    """Ten members are told of with their values; nine are withheld; no name, no comment, in store or report."""
    events = [*answers("tbm", 10), *answers("velo", 9)]
    points = [point for event in events if (point := raw_point(event)) is not None]
    assert len(points) == len(events) == 4 * 19
    assert {name for point in points for name, _ in point.tags} == set(TAGS["evaluation"])
    store = city.store()
    assert not await store.write(points)
    page, data = await make_report(
        city.settings,
        start=START,
        end=END,
        baseline_start=BASELINE[0],
        baseline_end=BASELINE[1],
        language="en",
        formats=("html", "json"),
        folder=city.folder / "report",
        wanted=("pionniers",),
    )
    entries = json.loads(data.read_text("utf-8"))["entries"]
    said = {each["variant"]: each.get("value") for each in entries if each["subject"]["id"] == "tbm"}
    assert said.pop("adoption") is None  # nobody entered how many members there are
    assert said == pytest.approx(
        {"sus": 100.0, "task_success": 100.0, "time_on_task": 20.0, "csat": 100.0, "nps": 100.0}
    )
    assert {each["status"] for each in entries if each["subject"]["id"] == "velo"} == {"not_assessed"}
    assert "ease of use (SUS, of 100)" in page.read_text("utf-8")
    for text in (page.read_text("utf-8"), data.read_text("utf-8"), repr(points)):
        assert "marie" not in text.lower()


async def test_each_version_is_told_of_where_ten_answered_and_is_the_difference_of_none(city: City) -> None:
    """Ten of 1.0, eleven of 2.0, three of 3.0: the application is of the first two alone, and 3.0 is withheld."""
    events = [*answers("tbm", 10, "1.0"), *answers("tbm", 11, "2.0"), *answers("tbm", 3, "3.0")]
    assert not await city.store().write([point for event in events if (point := raw_point(event)) is not None])
    (data,) = await make_report(
        city.settings,
        start=START,
        end=END,
        baseline_start=BASELINE[0],
        baseline_end=BASELINE[1],
        language="fr",
        formats=("json",),
        folder=city.folder / "report",
        wanted=("pionniers",),
    )
    entries = json.loads(data.read_text("utf-8"))["entries"]
    tasks = {each["subject"]["id"]: each for each in entries if each["variant"] == "task_success"}
    told = {name: each["figures"]["attempts"] for name, each in tasks.items() if each["status"] == "assessed"}
    assert told == {"tbm": 21.0, "tbm@1.0": 10.0, "tbm@2.0": 11.0}
    assert tasks["tbm@3.0"]["reason"] == "small_group"
