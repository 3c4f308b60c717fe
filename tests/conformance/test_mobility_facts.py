"""The comparison of C-ITS facts: it finds what is wrong, or a passed sample would prove nothing."""

from typing import Any

import pytest

from tests.cases import NAMES, find_cases
from tests.conformance.mobility import check

CASES = {str(case): case for case in find_cases()}
CAR = {"quantity": "speed", "value": 11.27, "unit": "m/s", "observed_at": "2026-05-04T06:41:07.1Z"}
HAZARD = {
    "quantity": "hazard",
    "value": "dangerousEndOfQueue",
    "observed_at": "2026-05-04T16:02:11.3Z",
    "cause_code": 27,
    "sub_cause_code": 1,
    "action_id": "4021:61",
    "ends_at": "2026-05-04T16:09:11.3Z",
    "relevance_distance": "less than 500 m",
    "relevance_direction": "upstream",
}
SIGNAL = {
    "quantity": "signal_state",
    "value": "stop-And-Remain",
    "signal_group": 1,
    "colour": "red",
    "min_end": "2026-12-31T23:59:55Z",
    "max_end": None,
    "likely_end": "2026-12-31T23:59:57.5Z",
    "confidence_percent": 85,
}
LANE = {
    "quantity": "lane",
    "register": "1",
    "value": "ingress",
    "signal_group": 2,
    "connects_to": 3,
    "stop_line_offset_m": [-3.5, 14.0],
}
REQUEST = {
    "quantity": "priority_request",
    "value": "priorityRequest",
    "intersection": "250:77",
    "request_id": 9,
    "role": "emergency",
    "inbound_lane": 1,
    "outbound_lane": 3,
    "arrival": "2026-05-04T06:31:31.5Z",
    "duration_s": 6.0,
}
STATUS = {
    "quantity": "priority_status",
    "value": "granted",
    "intersection": "250:77",
    "request_id": 9,
    "requester": 3141592653,
}
TRUE: list[tuple[str, dict[str, Any]]] = [
    ("cam_car", CAR),
    ("cam_car", {"quantity": "station_id", "value": 3141592653}),
    ("cam_car", {"quantity": "position", "value": [44.8375512, -0.5761203]}),
    ("cam_car", {"quantity": "altitude", "value": 18.3}),
    ("cam_all_unavailable", {"quantity": "speed", "value": None}),
    ("cam_all_unavailable", {"quantity": "position", "value": None}),
    ("denm_end_of_queue", HAZARD),
    ("denm_clock_in_2143", {"quantity": "detection_time", "value": None}),
    ("denm_clock_at_epoch", {"quantity": "detection_time", "value": "2004-01-01T00:00:00Z", "quality": "clock"}),
    ("denm_cancellation", {"quantity": "hazard_end", "value": "4021:61", "termination": "isCancellation"}),
    ("spatem_new_year", SIGNAL),
    ("spatem_new_year", {"quantity": "intersection", "value": "250:77", "revision": 4}),
    ("mapem", LANE),
    ("mapem", {"quantity": "speed_limit", "value": 13.88}),
    ("mapem", {"quantity": "count", "register": "lanes", "value": 3}),
    ("srem", REQUEST),
    ("ssem", STATUS),
]
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("cam_car", {**CAR, "value": 11.28}, "the value is 11.27"),
    ("cam_car", {**CAR, "value": None}, "nothing may be made up"),
    ("cam_car", {**CAR, "observed_at": "2026-05-04T06:41:07.102Z"}, "observed_at"),
    ("cam_car", {**CAR, "quality": "clock"}, "flag clock is missing"),
    ("cam_car", {"quantity": "station_id", "value": 3141592654}, "the value is"),
    ("cam_car", {"quantity": "position", "value": None}, "nothing may be made up"),
    ("cam_car", {"quantity": "heart_rate", "value": 60}, "no record of ours"),
    ("cam_all_unavailable", CAR, "the value is None"),
    ("cam_truncated", CAR, "no record of ours"),
    ("denm_end_of_queue", {**HAZARD, "cause_code": 94}, "cause_code is 27"),
    ("denm_end_of_queue", {**HAZARD, "action_id": "4021:62"}, "action_id"),
    ("denm_end_of_queue", {**HAZARD, "ends_at": "2026-05-04T16:12:11.3Z"}, "ends_at"),
    ("denm_end_of_queue", {**HAZARD, "value": None}, "nothing may be made up"),
    ("denm_end_of_queue", {**HAZARD, "relevance_direction": "all"}, "relevance_direction"),
    ("denm_end_of_queue", {"quantity": "detection_time", "value": None}, "nothing may be made up"),
    ("denm_end_of_queue", {"quantity": "hazard_end", "value": "4021:61", "termination": "isNegation"}, "termination"),
    ("spatem_new_year", {**SIGNAL, "colour": "green"}, "colour is red"),
    ("spatem_new_year", {**SIGNAL, "max_end": "2026-12-31T23:59:58Z"}, "max_end is None"),
    ("spatem_new_year", {**SIGNAL, "likely_end": None}, "likely_end"),
    ("spatem_new_year", {**SIGNAL, "signal_group": 9}, "no record of ours"),
    ("spatem_new_year", {"quantity": "intersection", "value": "250:77", "revision": 5}, "revision is 4"),
    ("mapem", {**LANE, "connects_to": 9}, "no connection to 9"),
    ("mapem", {**LANE, "stop_line_offset_m": [-3.5, 14.1]}, "the first node"),
    ("mapem", {**LANE, "length_m": 1.0}, "the length is"),
    ("srem", {**REQUEST, "arrival": "2026-05-04T06:31:31Z"}, "arrival_at"),
    ("srem", {**REQUEST, "role": "publicTransport"}, "role is 6"),
    ("ssem", {**STATUS, "requester": 1}, "requestor"),
    ("ssem", {**STATUS, "value": "rejected"}, "granted"),
]


@pytest.mark.parametrize(("name", "fact"), TRUE)
def test_a_true_fact_holds(name: str, fact: dict[str, Any]) -> None:
    """What the golden case says is found."""
    assert check(fact, CASES[f"its_client_json/{name}"].run().events, NAMES) is None


@pytest.mark.parametrize(("name", "fact", "words"), WRONG)
def test_a_wrong_fact_is_told(name: str, fact: dict[str, Any], words: str) -> None:
    """Each part of a fact counts, and the message names it."""
    problem = check(fact, CASES[f"its_client_json/{name}"].run().events, NAMES)
    assert problem is not None
    assert words in problem
