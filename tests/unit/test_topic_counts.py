"""Messages are counted by topic without letting a sender make metrics."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from services.ingest.normalise import Outcome
from services.ingest.ports import Delivery
from services.ingest.profiles import Ignored, Message
from services.ingest.telemetry import IngestTelemetry

_AT = datetime(2026, 1, 12, 8, tzinfo=UTC)


def _delivery(topic: str, number: int) -> Delivery:
    return Delivery(Message(topic, b"{}", _AT), 1, number, number + 1)


def _count(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    samples = [each for metric in registry.collect() for each in metric.samples]
    return {
        (each.labels["topic"], each.labels["result"]): each.value
        for each in samples
        if each.name == "garonne_ingest_topic_messages_total"
    }


def test_a_topic_that_no_filter_names_makes_no_series_of_its_own() -> None:
    """A thousand invented first levels are one series; those of the configured filters have their own."""
    telemetry = IngestTelemetry()
    telemetry.expect(("tele/+/SENSOR", "zigbee2mqtt/#", "+/status/em:0", "/oddly/led"))
    topics = [f"33{number:06}/status/em:0" for number in range(1000)] + ["tele/salon/SENSOR"] * 3 + ["/oddly/led"]
    outcome = Outcome("tasmota", ignored=Ignored("echo"))
    telemetry.normalised([_delivery(topic, n) for n, topic in enumerate(topics)], [outcome] * len(topics), 0.0)
    assert _count(telemetry.registry) == {("other", "ignored"): 1001.0, ("tele", "ignored"): 3.0}


def test_topics_are_those_of_the_filters_of_now() -> None:
    """A configuration that is read anew names other first levels."""
    telemetry = IngestTelemetry()
    outcome = Outcome(None, ignored=Ignored("echo"))
    for filters in (("tele/#",), ("shellies/#",)):
        telemetry.expect(filters)
        telemetry.normalised([_delivery("shellies/plug/relay/0/power", 0)], [outcome], 0.0)
    assert _count(telemetry.registry) == {("other", "ignored"): 1.0, ("shellies", "ignored"): 1.0}
