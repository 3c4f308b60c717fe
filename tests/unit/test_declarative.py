"""The mapping engine: tables are checked with line and key, and read what they say."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.energy import MeterReading
from schemas.status import DeviceStatus
from services.checking import check_configuration
from services.ingest.assembly import build_normaliser
from services.ingest.declarative import TableProblem, read_profile, read_table
from services.ingest.declarative.describe import field_table
from services.ingest.declarative.patterns import compile_pattern, fill
from services.ingest.declarative.routes import Reader, compile_metering
from services.ingest.jsonlines import read_line
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.runtime.settings import read_settings
from tests.cases import NAMES, ROOT, NoJunctions

HEAD = 'summary = "s"\ntopics = ["x/#"]\n'
RECEIVED_AT = datetime(2026, 4, 10, 6, 5, tzinfo=UTC)
PAGE = ROOT / "services/ingest/declarative/README.md"


def _read(table: str, topic: str, payload: Any, mapping: dict[str, str] | None = None) -> Any:
    context = Context(names=NAMES, zones=NoJunctions(), timezone=ZoneInfo("Europe/Paris"), mapping=mapping or {})
    body = payload if isinstance(payload, str) else json.dumps(payload)
    profile = read_profile("mine", HEAD + table, "mine.toml")
    return profile.parse(Message(topic, body.encode(), RECEIVED_AT), context)


def _values(readings: Any) -> dict[str, float]:
    return {
        f"{reading.carrier} {each.quantity} {each.name}": each.value
        for reading in readings
        for each in (*reading.registers, *reading.gauges)
    }


@pytest.mark.parametrize(
    ("pattern", "topic", "parts"),
    [
        ("x/{device}", "x/a", {"device": "a"}),
        ("x/{device+}/state", "x/a/b/state", {"device": "a/b"}),
        ("x/em:{n:[0-9]{1,2}}", "x/em:12", {"n": "12"}),
        ("x/+/#", "x/a/b/c", {}),
        ("x.y/{device}", "xzy/a", None),
        ("x/{device}", "x/a/b", None),
        ("x/em:{n:[0-9]}", "x/em:12", None),
    ],
)
def test_a_pattern_takes_its_topics_and_no_others(pattern: str, topic: str, parts: dict[str, str] | None) -> None:
    """Named levels, several levels, expressions, wildcards; a point is a point."""
    assert compile_pattern(pattern).match(topic) == parts


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "must not be empty"),
        ("x/{device", "a brace is not closed"),
        ("x/{Device}", "must begin with a lower-case name"),
        ("x/{a}/{a}", "'a' comes twice"),
        ("x/{a:[}", "cannot be read"),
        ("x/{a+:b}", "must be {name}, {name+} or {name:expression}"),
    ],
)
def test_a_wrong_pattern_is_refused(pattern: str, words: str) -> None:
    """The error shows the pattern and the rule."""
    with pytest.raises(ValueError, match="(?s)" + words.replace("{", r"\{").replace("+", r"\+")):
        compile_pattern(pattern)


def test_a_channel_counts_from_one() -> None:
    """`{n+1}` adds to a whole number; what is none does not fit."""
    assert fill("channel_{n+1}", {"n": "3"}) == "channel_4"
    with pytest.raises(ValueError, match="is no whole number"):
        fill("channel_{n+1}", {"n": "three"})


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('[[message]]\ntopic = "x/{device}"\n', r"line 3: message 1: a message needs exactly one of: fields"),
        (
            '[[message]]\ntopic = "x/{device}"\n[message.fields]\n"/e" = "energie total kWh"\n',
            r"""mine\.toml line 6: message 1: fields '/e': 'energie total kWh': quantity 'energie' is none of""",
        ),
        (
            '[[message]]\ntopic = "x/{device}"\nfieldz = 1\n[message.fields]\n"/e" = "import_energy total kWh"\n',
            r"line 5: message 1 fieldz: there is no such key",
        ),
        (
            '[[message]]\ntopic = "x/{device}"\n[message.fields]\n"/e" = { to = "voltage L1 V", rang = [1, 2] }\n',
            r'line 6: message 1 fields "/e" rang: there is no such key',
        ),
        (
            '[[message]]\ntopic = "x/a"\n[message.fields]\n"/e" = "import_energy total kWh"\n',
            r"the topic gives no \{device\}",
        ),
        (
            '[[message]]\ntopic = "x/{device}"\npayload = "scalar"\n[message.fields]\ne = "voltage L1 V"\n',
            r"needs \{key\} in the topic",
        ),
        (
            '[[message]]\ntopic = "x/{device}"\nclock = { policy = "moon", field = "/t" }\nignore = "a"\n',
            r"clock 1 policy: Input should be",
        ),
        ('[[message]]\ntopic = "x/{device}"\n[message.fields]\n"/e" = "state mood"\n', "there is no such state"),
        ("[[message]", "not TOML"),
    ],
)
def test_a_wrong_table_names_line_and_key(table: str, says: str) -> None:
    """File, line, row and key of each fault."""
    with pytest.raises(TableProblem, match=says):
        read_table(HEAD + table, "mine.toml")


ROW = '[[message]]\ntopic = "x/{device}"\n'


@pytest.mark.parametrize(
    ("field", "payload", "values"),
    [
        ('"/e" = "import_energy total Wh"', {"e": 1500}, {"electricity import_energy total": 1.5}),
        ('"/a/0/e" = "import_energy total kWh"', {"a": [{"e": "1.5"}]}, {"electricity import_energy total": 1.5}),
        ('"/e" = { to = "voltage L1 V", absent = [0] }', {"e": 0}, {}),
        ('"/e" = { to = "frequency total Hz", range = [40, 70] }', {"e": 198}, {}),
        ('"/e" = { to = "frequency total Hz", needs = "/u" }', {"e": 50, "u": 0}, {}),
        ('"/e" = { to = "frequency total Hz", needs = "/u" }', {"e": 50, "u": 1}, {"electricity frequency total": 50}),
        ('"/e" = { to = "voltage L1 V", exponent = "/s" }', {"e": 2301, "s": -1}, {"electricity voltage L1": 230.1}),
        ('"/e" = { to = "voltage L1 V", exponent = "/s" }', {"e": 2301, "s": -32768}, {}),
        ('"/e" = { to = "voltage L1 V", unless = "/better" }', {"e": 1, "better": 2}, {}),
        ('"/e" = "volume total L water"', {"e": 2500}, {"water volume total": 2.5}),
        ('"/e" = "import_energy total Wmin"', {"e": 60_000}, {"electricity import_energy total": 1.0}),
        ('"/e" = "import_energy total kWh"', {"e": "unavailable"}, {}),
        ('"/e" = "nothing"\n"/f" = "voltage L1 V"', {"e": 1}, {}),
    ],
)
def test_a_field_is_read_as_the_table_says(field: str, payload: Any, values: dict[str, float]) -> None:
    """Units, sentinels, ranges, conditions, exponents and carriers."""
    result = _read(f"{ROW}[message.fields]\n{field}\n", "x/a", payload)
    assert (_values(result) if values else result) == (values or Ignored("no-metering-field"))


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, "1,5", "1e", 10**400, "1" * 50])
def test_what_is_no_number_refuses_the_message(value: Any) -> None:
    """The error names the field, not the value."""
    with pytest.raises(Unparseable, match="/e: must be a number") as caught:
        _read(f'{ROW}[message.fields]\n"/e" = "voltage L1 V"\n', "x/a", {"e": value})
    assert caught.value.reason == "bad_value"


def test_a_second_carrier_is_a_meter_of_its_own() -> None:
    """Electricity and water of one device: one household, two meters."""
    fields = '[message.fields]\n"/e" = "import_energy total kWh"\n"/w" = "volume total m3 water"\n'
    electricity, water = _read(ROW + fields, "x/a", {"e": 1, "w": 2})
    assert electricity.meter == NAMES.meter("mine:a")
    assert water.meter == NAMES.meter("mine:a/water")
    assert electricity.household == water.household == NAMES.household("mine:a")


def test_a_variant_renames_and_the_names_of_the_topic_do_too() -> None:
    """All variants whose conditions hold; parts of the topic by other words, unknown ones not taken."""
    table = (
        '[[message]]\ntopic = "x/{device}/{n}"\nnames.n = { a = "L1", b = "L2" }\n[message.fields]\n'
        '"/t1" = "import_energy tier_1 kWh"\n"/p" = "active_power {n} W"\n'
        '[[message.variant]]\nwhen = { "/contract" = "^HC" }\nfields = { "/t1" = "import_energy HC kWh" }\n'
        '[[message.variant]]\nwhen = { "/u" = "^[1-9]" }\nfields = { "/p" = "active_power net W" }\n'
    )
    assert _values(_read(table, "x/d/b", {"t1": 1, "p": 2, "contract": "HC.."})) == {
        "electricity import_energy HC": 1,
        "electricity active_power L2": 2,
    }
    assert _values(_read(table, "x/d/b", {"t1": 1, "p": 2, "contract": "HC..", "u": 230})) == {
        "electricity import_energy HC": 1,
        "electricity active_power net": 2,
    }
    assert _read(table, "x/d/c", {"t1": 1}) == Ignored("no-metering-topic")


@pytest.mark.parametrize(
    ("policy", "value", "at", "clock", "flags"),
    [
        ("auto", 1775801040, "2026-04-10T06:04:00Z", "epoch_s", ()),
        ("auto", "1775801040000", "2026-04-10T06:04:00Z", "epoch_ms", ()),
        ("auto", "2026-04-10T08:04:00+02:00", "2026-04-10T06:04:00Z", "iso_offset", ()),
        ("iso", "2026-04-10T08:04:00", "2026-04-10T06:04:00Z", "local_naive", ()),
        ("local_naive", "2026-04-10T08:04:00Z", "2026-04-10T06:04:00Z", "local_naive", ()),
        ("local_compact", 260410080400, "2026-04-10T06:04:00Z", "local_compact", ()),
        ("tic_horodate", "e260410080400", "2026-04-10T06:04:00Z", "tic_horodate", ("clock_degraded",)),
        ("fake_utc_local", "2026-04-10T08:04:00Z", "2026-04-10T06:04:00Z", "fake_utc_local", ()),
        ("epoch_s", 0, "2026-04-10T06:05:00Z", "epoch_s", ("clock",)),
        ("epoch_s", 1e300, "2026-04-10T06:05:00Z", "none", ("clock",)),
        ("tic_horodate", "E261332", "2026-04-10T06:05:00Z", "none", ("clock",)),
        ("auto", None, "2026-04-10T06:05:00Z", "none", ()),
    ],
)
def test_each_clock_policy_reads_its_clock(
    policy: str, value: Any, at: str, clock: str, flags: tuple[str, ...]
) -> None:
    """What is no time, or cannot be true, is replaced by the receive time and flagged."""
    table = f'{ROW}clock = {{ policy = "{policy}", field = "/t" }}\n[message.fields]\n"/e" = "voltage L1 V"\n'
    (reading,) = _read(table, "x/a", {"e": 1, "t": value})
    assert isinstance(reading, MeterReading)
    assert reading.observed_at == datetime.fromisoformat(at)
    assert reading.clock == ("local_naive" if clock == "local_compact" else clock)
    assert reading.flags == flags


def test_the_names_of_the_site_come_before_the_table() -> None:
    """A mapped name is read once, by the site's words; a name with a section counts there alone."""
    table = f'{ROW}mapping = true\n[message.fields]\n"/e" = "import_energy total kWh"\n'
    mapping = {"e": "production total kWh", "a.z": "voltage L1 V", "b.z": "voltage L2 V"}
    values = _values(_read(table, "x/a", {"e": 1, "z": 230, "b": {"z": 231}}, mapping))
    assert values == {
        "electricity production total": 1,
        "electricity voltage L1": 230,
        "electricity voltage L2": 231,
    }


def test_topics_share_their_reader() -> None:
    """A hundred thousand meters of one family need one table, not a hundred thousand."""
    table = read_table(HEAD + f'{ROW}[message.fields]\n"/e" = "voltage L1 V"\n', "mine.toml")
    shared: dict[Any, Reader] = {}
    readers = {
        id(compile_metering(table.message[0], {"device": str(number)}, "mine", {}, shared).reader)
        for number in range(100)
    }
    assert len(readers) == len(shared) == 1


def test_a_deleted_retained_message_says_nothing() -> None:
    """An empty payload is what a broker sends on then."""
    table = f'{ROW}[message.fields]\n"/e" = "voltage L1 V"\n'
    assert _read(table, "x/a", "") == Ignored("empty-payload")


def _blocks(language: str) -> list[str]:
    return [part.split("```")[0] for part in PAGE.read_text("utf-8").split(f"```{language}\n")[1:]]


def _site(folder: Path, table: str) -> Path:
    (folder / "heat_pumps.toml").write_text(table, "utf-8")
    (folder / "garonne.toml").write_text(_blocks("toml")[0] + "\n[influxdb]\ntoken_file = 'garonne.toml'\n", "utf-8")
    return folder / "garonne.toml"


def test_the_page_on_tables_shows_a_table_that_works(tmp_path: Path) -> None:
    """The example of the page is read as the page says, in a site's configuration, without any Python."""
    settings = read_settings(_site(tmp_path, _blocks("toml")[1]))
    normaliser, topics = build_normaliser(settings, trial=True)
    assert "pompes/#" in topics
    measured, circuit, status, log = [normaliser(read_line(line)) for line in _blocks("json")[0].splitlines()]
    assert _values([event.record for event in measured.events]) == {
        "electricity import_energy total": 4120.331,
        "electricity active_power import": 1200,
        "water volume total": 41.25,
    }
    assert measured.profile == "heat_pumps"
    assert _values([event.record for event in circuit.events]) == {"electricity import_energy channel_2": 88.41}
    record = status.events[0].record
    assert isinstance(record, DeviceStatus)
    assert record.availability == "offline"
    assert log.ignored == Ignored("log-of-the-device")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("import_energy total Wh", "import_energy total Whh"),
            "heat_pumps.toml line 13: message 2: fields '/compteur",
        ),
        (("availability", "avail"), "heat_pumps.toml line 7: message 1 avail: there is no such key"),
        (('["pompes/#"]', '["pompes/#/x"]'), "heat_pumps.toml line 3: topics: topic filter 'pompes/#/x'"),
    ],
)
def test_check_names_the_faulty_key_of_a_table(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    """`garonne check` needs no connection to tell file, line and key."""
    table = _blocks("toml")[1]
    assert change[0] in table
    problems = list(check_configuration(read_settings(_site(tmp_path, table.replace(*change)))))
    assert any(says in problem for problem in problems), problems


def test_check_names_a_wrong_line_of_a_mapping(tmp_path: Path) -> None:
    """Before the first message, not at each of them."""
    path = tmp_path / "garonne.toml"
    path.write_text("[profiles.esphome.mapping]\neau = 'volume total furlong water'\n", "utf-8")
    assert any("profiles.esphome.mapping 'eau'" in problem for problem in check_configuration(read_settings(path)))


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    """The key and the file."""
    path = tmp_path / "garonne.toml"
    path.write_text("[profiles.mine]\ntable_file = 'nowhere.toml'\n", "utf-8")
    assert any("profiles.mine.table_file" in problem for problem in check_configuration(read_settings(path)))


def test_the_field_table_of_a_page_names_every_field() -> None:
    """What a README shows comes from the table that is read."""
    for path in sorted(ROOT.glob("services/ingest/profiles/*/fields.toml")):
        table = read_table(path.read_text("utf-8"), path.name)
        page = (path.parent / "README.md").read_text("utf-8")
        assert field_table(table) in page, f"{path.parent.name}: run scripts/generate"
