"""`python -m benchmarks.encodings`: processor time per C-ITS message, from its bytes to its event on Kafka.

One core, no network: the golden messages of each encoding, normalised and encoded again and again. Absolute figures
are this machine's; compare within one run.
"""

import sys
import timeit
from zoneinfo import ZoneInfo

from schemas.codec import encode
from tests.cases import Case, find_cases, normaliser

_CASES = (
    "its_client_json/cam_car",
    "its_client_json/cam_1_1_3",
    "etsi_uper/cam_v2",
    "etsi_uper/cam_v1_bus",
    "etsi_uper/cam_v1_roadside_unit",
    "geonetworking_btp/cam_in_single_hop_broadcast",
    "vanetza_nap_json/cam",
    "jpo_ode_json/bsm",
    "its_client_json/denm_end_of_queue",
    "etsi_uper/denm_v2",
    "its_client_json/spatem_new_year",
    "etsi_uper/spatem_v2",
    "etsi_uper/mapem_v2",
)
_REPETITIONS = 2000


def main() -> None:
    """Print a table."""
    known = {str(case): case for case in find_cases()}
    sys.stdout.write(f"{'message':<50}{'bytes':>7}{'µs':>9}{'per second':>13}\n")
    for name in _CASES:
        case = known[name]
        seconds = _seconds(case)
        sys.stdout.write(f"{name:<50}{len(case.message.payload):>7}{seconds * 1e6:>9.1f}{1 / seconds:>13,.0f}\n")


def _seconds(case: Case) -> float:
    """Of one message, the best of five runs."""
    normalise = normaliser(ZoneInfo(case.timezone), case.mapping)

    def once() -> None:
        for event in normalise(case.message).events:
            encode(event)

    return min(timeit.repeat(once, number=_REPETITIONS, repeat=5)) / _REPETITIONS


if __name__ == "__main__":
    main()
