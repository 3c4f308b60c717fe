"""Which applications, and which versions of them, are asked about. Pure."""

from collections.abc import Iterable

from services.aggregator.kpis.app_evaluation.kpi import version_subject
from services.aggregator.kpis.inputs import Evaluation
from services.aggregator.kpis.results import Subject

__all__ = ["applications"]


def applications(given: Iterable[Evaluation]) -> list[Subject]:
    """Each application, then its versions, where there are several."""
    versions: dict[str, set[str]] = {}
    for each in given:
        versions.setdefault(each.application, set()).add(each.version)
    found = []
    for application, its in sorted(versions.items()):
        found.append(Subject("application", application, application))
        if len(its) > 1:
            found += [version_subject(application, version) for version in sorted(its)]
    return found
