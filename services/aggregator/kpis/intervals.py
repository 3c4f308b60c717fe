"""Intervals of confidence, in closed form so that a person can work them out again. Pure."""

from collections.abc import Sequence
from math import sqrt
from typing import Final

__all__ = ["adjusted_wald", "mean_error", "ratio_error", "score_error", "student_95"]

_Z_95: Final = 1.96
_STUDENT: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


def student_95(degrees_of_freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t: the usual table to 30, then 1.96 + 2.4/n, right to three digits."""
    if degrees_of_freedom < 1:
        raise ValueError("Student's t needs at least one degree of freedom")
    if degrees_of_freedom <= len(_STUDENT):
        return _STUDENT[degrees_of_freedom - 1]
    return 1.96 + 2.4 / degrees_of_freedom


def ratio_error(above: Sequence[float], below: Sequence[float]) -> float | None:
    """Half the width of the 95 % interval of sum(above) / sum(below), pairs being drawn from many such homes.

    The ratio estimator of sampling theory (Cochran, Sampling Techniques, 1977, ch. 6, without finite correction):
    s = sqrt(n/(n-1) * sum((a_i - R*b_i)^2)) / sum(b), times Student's t with n-1 degrees of freedom.

    Returns:
        `None` for fewer than two pairs, or nothing below.
    """
    count, total = len(below), sum(below)
    if count < 2 or total <= 0:
        return None
    ratio = sum(above) / total
    squares = sum((a - ratio * b) ** 2 for a, b in zip(above, below, strict=True))
    return student_95(count - 1) * sqrt(count / (count - 1) * squares) / total


def mean_error(values: Sequence[float]) -> float | None:
    """Half the width of the 95 % interval of a mean, by Student's t; `None` for fewer than two values."""
    count = len(values)
    if count < 2:
        return None
    mean = sum(values) / count
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    return student_95(count - 1) * deviation / sqrt(count)


def adjusted_wald(successes: int, attempts: int) -> tuple[float, float]:
    """The 95 % interval of a share, 0 to 1 (Agresti and Coull, The American Statistician 52, 1998).

    As if z²/2 successes and as many failures had been seen besides, with z = 1.96.
    """
    if not 0 <= successes <= attempts or attempts == 0:
        raise ValueError("a share needs attempts, and no more successes than them")
    count = attempts + _Z_95**2
    share = (successes + _Z_95**2 / 2) / count
    error = _Z_95 * sqrt(share * (1 - share) / count)
    return max(0.0, share - error), min(1.0, share + error)


def score_error(promoters: int, detractors: int, count: int) -> float:
    """Half the width of the 95 % interval of (promoters - detractors) / count, a difference of two shares of one group.

    The variance of an answer that counts +1, 0 or -1 is p + d - (p - d)².
    """
    for_it, against = promoters / count, detractors / count
    return _Z_95 * sqrt((for_it + against - (for_it - against) ** 2) / count)
