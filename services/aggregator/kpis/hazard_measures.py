"""The measures of road hazards that are compared, with their words (c-its.md 5), and what drivers did near them."""

from typing import Final, Literal, NamedTuple

from services.aggregator.kpis.measures import Measure
from services.aggregator.kpis.results import Text

__all__ = ["HAZARDS", "HAZARD_LIMITS", "RESPONSES", "VEHICLE_LIMITS", "Response"]

HAZARD_LIMITS: Final = (
    Text(
        "Announced hazards in reach of a junction; one that reaches two junctions counts at each.",
        "Les dangers annoncés à portée d’un carrefour ; celui qui en touche deux compte à chacun.",
    ),
    Text(
        "A junction with fewer than five hazards before or after makes no part of any sum; one with none does.",
        "Un carrefour à moins de cinq dangers avant ou après n’entre dans aucune somme ; sans danger, il y entre.",
    ),
)
VEHICLE_LIMITS: Final = (
    Text(
        "A vehicle that leaves and comes back counts again; days with fewer than five at a junction are in no sum.",
        "Un véhicule qui repart et revient compte à nouveau ; les jours à moins de cinq n’entrent dans aucune somme.",
    ),
)

HAZARDS: Final = (
    Measure(
        "hazards",
        "hazard",
        "per junction and day",
        1,
        "rate",
        "hazards",
        None,
        Text(
            "hazards in reach of a junction / days on which the junction was heard",
            "dangers à portée d’un carrefour / jours où le carrefour a été entendu",
        ),
        HAZARD_LIMITS,
    ),
    Measure(
        "duration",
        "hazard",
        "s",
        1,
        "mean",
        "duration_s",
        "hazards",
        Text("mean of end − detection", "moyenne de fin − détection"),
        HAZARD_LIMITS,
        squares="duration_squares",
    ),
    Measure(
        "dissemination",
        "hazard",
        "s",
        1,
        "mean",
        "dissemination_s",
        "hazards",
        Text("mean of first reception − detection", "moyenne de première réception − détection"),
        HAZARD_LIMITS,
        squares="dissemination_squares",
    ),
    Measure(
        "exposure",
        "aware",
        "per junction and day",
        1,
        "rate",
        "aware_vehicles",
        None,
        Text(
            "vehicles that met a warning / days on which the junction was heard",
            "véhicules passés sous alerte / jours où le carrefour a été entendu",
        ),
        VEHICLE_LIMITS,
    ),
    Measure(
        "exposure_unwarned",
        "unaware",
        "per junction and day",
        1,
        "rate",
        "unaware_vehicles",
        None,
        Text(
            "vehicles that passed a hazard before anybody was warned / days on which the junction was heard",
            "véhicules passés près d’un danger avant toute alerte / jours où le carrefour a été entendu",
        ),
        VEHICLE_LIMITS,
    ),
)


class Response(NamedTuple):
    """What vehicles near a hazard did with their speed: those warned, or those that passed before anybody was."""

    variant: str
    who: Literal["aware", "unaware"]
    formula: Text


RESPONSES: Final = (
    Response(
        "speed_response",
        "aware",
        Text(
            "mean speed over the last 100 m − mean speed from 300 to 200 m before it, while a warning was out",
            "vitesse moyenne sur les 100 derniers m − vitesse moyenne de 300 à 200 m avant, pendant l’alerte",
        ),
    ),
    Response(
        "speed_unwarned",
        "unaware",
        Text(
            "mean speed over the last 100 m − mean speed from 300 to 200 m before it, before anybody was warned",
            "vitesse moyenne sur les 100 derniers m − vitesse moyenne de 300 à 200 m avant, avant toute alerte",
        ),
    ),
)
