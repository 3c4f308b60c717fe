"""The benchmark measures what it says: a small backlog on the real servers, without Telegraf and without a limit."""

from pathlib import Path

import pytest

from benchmarks.sidebyside import Pace, bench_site, halves, latencies

_MESSAGES = 6000


@pytest.mark.servers
def test_the_benchmark_counts_every_message_of_its_backlog_through_both_halves(tmp_path: Path) -> None:
    """All comes out, costs processor time and memory; a delay is never negative by more than a clock's tick."""
    with bench_site(tmp_path) as (site, topics):
        found = halves(site, topics, None, _MESSAGES, reverse=False)
        (delays,) = latencies(site, topics, None, Pace(200, 6.0), reverse=False).values()
    assert set(found) == {"mqtt_kafka/garonne", "kafka_influx/garonne"}
    for each in found.values():
        assert 0 < each.messages <= _MESSAGES
        assert each.cpu_s > 0
        assert each.peak_mib > 0
    assert -1 <= delays["p50"] <= delays["p95"] <= delays["p99"]
