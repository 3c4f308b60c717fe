"""The measures of requests for priority. Pure."""

from typing import Final

from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.measures import assess
from services.aggregator.kpis.results import Outcome
from services.aggregator.kpis.traffic_measures import REQUESTS

__all__ = ["NAME", "compute"]

NAME: Final = "priority_requests"


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variants `requests`, `granted`, `time_to_grant` and `time_to_answer`."""
    return tuple(assess(NAME, measure, inputs, question.subject, question.period) for measure in REQUESTS)
