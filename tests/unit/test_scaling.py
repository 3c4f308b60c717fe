"""The arithmetic of the page on size."""

from dataclasses import replace

from scripts.scaling import METERS, need_of


def test_a_load_of_round_numbers_is_right_by_hand() -> None:
    """60,000 meters at one a minute, twice at peak: 2,000/s; 60 µs are 0.12 cores: one process, 12 partitions."""
    load = replace(METERS, senders=60_000, ingest_us=300.0, aggregate_us=600.0, record_bytes=(1000, 100), points=1.5)
    need = need_of(replace(load, kept_h=24))
    assert need.peak_per_s == 2000
    assert (need.ingest, need.aggregators, need.partitions) == (1, 2, 12)  # 0.6 and 1.2 cores, at 0.6 of a core each
    assert need.kafka_in_mb_s == 0.2
    assert round(need.kafka_disk_tb, 5) == round(1000 * 100 * 86_400 * 3 / 1e12, 5)
    assert (need.points_per_s, need.series, need.shards) == (3000, 240_000, 1)


def test_ten_times_the_meters_need_ten_times_the_shards() -> None:
    """Nothing is shared between cells."""
    assert need_of(METERS).shards == 10 * need_of(replace(METERS, senders=100_000)).shards - 6
