"""The status says what the services serve: rates between two looks, and in words what is wrong."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.telemetry import IngestTelemetry
from services.operations.showing import show_status
from services.operations.status import Access, Flow, Look, access_of, addresses, look_at, status_between, watch
from services.runtime.http import Guard, guard_of, serve_telemetry
from services.runtime.settings import IngestSettings, Settings
from tests.contract.certificates import Certificates, make_certificates
from tests.servers.running import free_port


@asynccontextmanager
async def _serving() -> AsyncIterator[tuple[IngestTelemetry, AggregatorTelemetry, tuple[str, str]]]:
    """Both services' telemetry, served."""
    ingest, aggregator = IngestTelemetry(), AggregatorTelemetry()
    async with (
        serve_telemetry(ingest.registry, ingest.health, 0) as first,
        serve_telemetry(aggregator.registry, aggregator.health, 0) as second,
    ):
        yield ingest, aggregator, (f"http://127.0.0.1:{first}", f"http://127.0.0.1:{second}")


async def _looks(urls: tuple[str, str]) -> tuple[Look, Look]:
    return await asyncio.to_thread(look_at, "ingest", urls[0]), await asyncio.to_thread(look_at, "aggregator", urls[1])


async def test_flow_lag_refusals_and_age_are_those_of_the_services() -> None:
    """Counted between two looks; lag summed over the partitions of a topic."""
    async with _serving() as (ingest, aggregator, urls):
        ingest.received.labels("tasmota").inc(10)
        before = await _looks(urls)
        ingest.received.labels("tasmota").inc(30)
        ingest.rejected.labels("tasmota", "parse", "not_json").inc(2)
        ingest.ignored.labels("shelly_gen2", "echo").inc()
        ingest.oldest.set(4.5)
        ingest.in_flight.set(7)
        aggregator.lagging({("garonne.energy", 0): 3, ("garonne.energy", 1): 4, ("garonne.status", 0): 0})
        now = await _looks(urls)
    passed_s = now[0].at_s - before[0].at_s
    status = status_between(before, now)
    assert status.received == {"tasmota": Flow(40, 30 / passed_s)}
    assert {name: flow.total for name, flow in status.rejected.items()} == {"tasmota parse not_json": 2}
    assert {name: flow.total for name, flow in status.ignored.items()} == {"shelly_gen2 echo": 1}
    assert (status.in_flight, status.oldest_unacknowledged_s) == (7, 4.5)
    assert status.lag == {"garonne.energy": 7, "garonne.status": 0}


async def test_what_is_wrong_is_said_in_words_and_a_silent_service_is_wrong() -> None:
    """A failing check of /readyz; a port where nobody listens."""
    async with _serving() as (ingest, _, urls):
        ingest.health.ready("event log", "no Kafka answers")
        ingest.health.note("session", "messages may be missing")
        ingest.connection_made(resumed=True)
        nobody = f"http://127.0.0.1:{free_port()}"
        looks = await _looks((urls[0], nobody))
    status = status_between(looks, looks)
    assert status.problems["ingest: event log"] == "no Kafka answers"
    assert "nobody answers at" in status.problems["aggregator"]
    assert not [name for name in status.problems if "session" in name or "broker" in name]


async def test_a_service_that_began_anew_has_no_rate_yet() -> None:
    """Its counters are smaller than before: no negative flow."""
    name, labels = "garonne_ingest_messages_received_total", (("profile", "tasmota"),)
    before, now = Look(1.0, {name: {labels: 50.0}}), Look(2.0, {name: {labels: 3.0}})
    status = status_between((before, Look(1.0)), (now, Look(2.0)))
    assert status.received == {"tasmota": Flow(3, None)}


async def test_it_can_be_read_by_people_and_by_machines() -> None:
    """One interval, drawn; nothing of what is served is taken for markup."""
    async with _serving() as (ingest, _, urls):
        ingest.received.labels("tasmota").inc(12345)
        ingest.health.ready("event log", "[bold]odd[/bold]")
        drawn = io.StringIO()
        console = Console(file=drawn, width=120)
        last = await asyncio.to_thread(show_status, watch(urls, 0.1, once=True), as_json=False, console=console)
    assert last is not None
    assert "12,345" in drawn.getvalue()
    assert "[bold]odd[/bold]" in drawn.getvalue()


def test_a_service_that_listens_everywhere_is_asked_here() -> None:
    """0.0.0.0 is no address to connect to."""
    settings = Settings(ingest=IngestSettings(metrics_host="0.0.0.0", metrics_port=9))  # noqa: S104
    assert addresses(settings)[0] == "http://127.0.0.1:9"


async def test_figures_are_told_to_who_has_the_token_and_health_to_everybody() -> None:
    """Without the token or with another one the look is a problem that says what is missing; /readyz needs none."""
    telemetry = IngestTelemetry()
    guard = Guard(token=b"the token")
    async with serve_telemetry(telemetry.registry, telemetry.health, 0, guard=guard) as port:
        url = f"http://127.0.0.1:{port}"
        with_token = await asyncio.to_thread(look_at, "ingest", url, Access("the token"))
        for token in ("", "the toke", "the token "):
            without = await asyncio.to_thread(look_at, "ingest", url, Access(token + "x" if token else ""))
            assert "metrics_token_file" in without.problems["ingest"]
            assert not without.values
    assert "ingest" not in with_token.problems
    assert with_token.values


async def test_a_service_with_a_certificate_is_asked_over_tls_and_believed_by_it(tmp_path: Path) -> None:
    """The configuration that makes the service serve TLS makes the status trust that certificate, and no other."""
    mine, other = make_certificates(tmp_path / "mine"), make_certificates(tmp_path / "other")

    def served(files: Certificates) -> IngestSettings:
        return IngestSettings(metrics_certificate_file=files.server, metrics_private_key_file=files.server_key)

    telemetry = IngestTelemetry()
    async with serve_telemetry(telemetry.registry, telemetry.health, 0, guard=guard_of(served(mine))) as port:
        url = addresses(Settings(ingest=served(mine).model_copy(update={"metrics_port": port})))[0]
        assert url == f"https://127.0.0.1:{port}"
        believed = await asyncio.to_thread(look_at, "ingest", url, access_of(served(mine)))
        doubted = await asyncio.to_thread(look_at, "ingest", url, access_of(served(other)))
        plain = await asyncio.to_thread(look_at, "ingest", url.replace("https", "http"))
    assert "ingest" not in believed.problems
    assert believed.values
    assert "ingest" in doubted.problems
    assert "ingest" in plain.problems
