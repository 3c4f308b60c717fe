"""Les pionniers: what citizens say of mobile applications and web services."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Pseudonym, Record, Slug

__all__ = ["AppEvaluation"]

_SusAnswer = Annotated[int, Field(ge=1, le=5)]


class AppEvaluation(Record):
    """One evaluation of an application by a panel member; free text is not carried."""

    kind: Literal["app_evaluation"] = "app_evaluation"
    member: Pseudonym
    application: Slug
    version: Slug | None = None
    sus_answers: Annotated[tuple[_SusAnswer, ...], Field(min_length=10, max_length=10)] | None = None
    task: Slug | None = None
    task_success: bool | None = None
    time_on_task_s: Annotated[float, Field(ge=0, le=86400)] | None = None
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    recommendation: Annotated[int, Field(ge=0, le=10)] | None = None
