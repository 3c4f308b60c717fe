"""The measures of passages at a junction, along a corridor, or at all junctions. Pure."""

from typing import Final

from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.measures import assess
from services.aggregator.kpis.results import Outcome
from services.aggregator.kpis.traffic_measures import PASSAGES

__all__ = ["NAME", "compute"]

NAME: Final = "junction_passages"


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variants `stops`, `delay`, `stopped`, `idle`, `green`, `glosa`, `violations`, `fuel` and `co2`."""
    return tuple(assess(NAME, measure, inputs, question.subject, question.period) for measure in PASSAGES)
