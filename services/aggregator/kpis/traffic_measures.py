"""The measures of Compass4D, with their words (c-its.md 5). Each is a row: what is added up over what."""

from typing import Final

from services.aggregator.kpis.measures import Measure
from services.aggregator.kpis.results import Quality, Text

__all__ = ["ALL", "PASSAGES", "PREDICTIONS", "REQUESTS"]

_EQUIPPED: Final = Text(
    "Only vehicles that send C-ITS messages are seen: a share of the traffic, not all of it.",
    "Seuls les véhicules qui émettent des messages C-ITS sont vus : une part du trafic, pas le tout.",
)
_QUIET: Final = Text(
    "Days with fewer than five vehicles at a junction make no part of any sum.",
    "Les jours à moins de cinq véhicules à un carrefour n’entrent dans aucune somme.",
)
_ESTIMATED: Final = Text(
    "Estimated from speeds by vehicle specific power, with rates of US petrol cars of the 2000s; passenger cars alone. "
    "For comparing a junction with itself, not as an amount.",
    "Estimé à partir des vitesses par la puissance spécifique, avec les taux de voitures à essence américaines des "
    "années 2000 ; voitures seules. Pour comparer un carrefour à lui-même, non comme une quantité.",
)
_UNKNOWN_STATE: Final = Text(
    "Passages during which the signal was not heard within two seconds are left out.",
    "Les passages pendant lesquels le feu n’a pas été entendu depuis deux secondes sont laissés de côté.",
)
_CERTAIN: Final = Text(
    "Certain ones alone: red for more than half a second, at a position that three metres do not change.",
    "Les seuls certains : rouge depuis plus d’une demi-seconde, à une position que trois mètres ne changent pas.",
)
_SHORT: Final = Text(
    "Over the part of the last 300 m that was seen; nothing below 50 m. Free flow is the limit of the map, or 50 km/h.",
    "Sur la partie vue des 300 derniers mètres ; rien sous 50 m. L’écoulement libre est la limite de la carte, "
    "ou 50 km/h.",
)
_LONGEST: Final = Text(
    "Vehicles that change their name while they queue have no delay, and they waited longest.",
    "Les véhicules qui changent de nom dans la file n’ont pas de retard connu, et ont le plus attendu.",
)
_ADVISED: Final = Text(
    "Where the signal’s times allowed an advice; whether the driver saw one is not known.",
    "Là où les temps du feu permettaient un conseil ; si le conducteur l’a vu n’est pas connu.",
)
_LIMITS: Final = (_EQUIPPED, _QUIET)

PASSAGES: Final = (
    Measure(
        "stops",
        "passage",
        "stops",
        1,
        "mean",
        "stops",
        "passages",
        Text(
            "stops / passages; a stop is below 1.4 m/s for three seconds or more",
            "arrêts / passages ; un arrêt est sous 1,4 m/s pendant trois secondes ou plus",
        ),
        _LIMITS,
        squares="stops_squares",
    ),
    Measure(
        "delay",
        "passage",
        "s",
        1,
        "mean",
        "delay_s",
        "delay_known",
        Text(
            "mean of max(0, t − L / v), t the time over the last L = 300 m, v free flow",
            "moyenne de max(0, t − L / v), t le temps sur les derniers L = 300 m, v l’écoulement libre",
        ),
        (*_LIMITS, _SHORT, _LONGEST),
        squares="delay_squares",
        out_of="passages",
        unknown=_LONGEST,
    ),
    Measure(
        "stopped",
        "passage",
        "s",
        1,
        "mean",
        "stopped_s",
        "passages",
        Text("seconds of all stops / passages", "secondes de tous les arrêts / passages"),
        _LIMITS,
        squares="stopped_squares",
    ),
    Measure(
        "idle",
        "passage",
        "s",
        1,
        "mean",
        "idle_s",
        "passages",
        Text("seconds below 0.5 m/s / passages", "secondes sous 0,5 m/s / passages"),
        _LIMITS,
        squares="idle_squares",
    ),
    Measure(
        "green",
        "passage",
        "%",
        100,
        "share",
        "arrival_green",
        "passages",
        Text(
            "passages in green without a stop / passages whose signal is known · 100",
            "passages au vert sans arrêt / passages dont le feu est connu · 100",
        ),
        (*_LIMITS, _UNKNOWN_STATE),
        less="arrival_unknown",
        out_of="passages",
    ),
    Measure(
        "glosa",
        "passage",
        "%",
        100,
        "mean",
        "advice_followed",
        "advice_known",
        Text(
            "mean share of the time under advice in which the speed was within 1.4 m/s or a tenth of it · 100",
            "part moyenne du temps sous conseil où la vitesse le suivait à 1,4 m/s ou un dixième près · 100",
        ),
        (*_LIMITS, _ADVISED),
        squares="advice_squares",
    ),
    Measure(
        "violations",
        "passage",
        "‰",
        1000,
        "share",
        "violations",
        "passages",
        Text(
            "certain red-light violations / passages whose signal is known · 1000",
            "franchissements certains au rouge / passages dont le feu est connu · 1000",
        ),
        (*_LIMITS, _UNKNOWN_STATE, _CERTAIN),
        less="arrival_unknown",
        out_of="passages",
    ),
    Measure(
        "fuel",
        "passage",
        "g",
        1,
        "mean",
        "fuel_estimated_g",
        "estimated",
        Text("estimated grams of fuel / passages of cars", "grammes de carburant estimés / passages de voitures"),
        (*_LIMITS, _ESTIMATED),
        squares="fuel_squares",
        quality=Quality.ASSUMPTIONS,
    ),
    Measure(
        "co2",
        "passage",
        "g",
        1,
        "mean",
        "co2_estimated_g",
        "estimated",
        Text("estimated grams of CO₂ / passages of cars", "grammes de CO₂ estimés / passages de voitures"),
        (*_LIMITS, _ESTIMATED),
        squares="co2_squares",
        quality=Quality.ASSUMPTIONS,
    ),
)

_ONE_REQUEST: Final = Text(
    "A request is one by requestor, number and junction; an update is no new one.",
    "Une demande est unique par demandeur, numéro et carrefour ; une mise à jour n’en est pas une nouvelle.",
)
_QUIET_REQUESTS: Final = Text(
    "Days with requests of fewer than five vehicles make no part of any sum, which shows more requests than there "
    "were on quiet days.",
    "Les jours où moins de cinq véhicules ont demandé n’entrent dans aucune somme : les jours calmes manquent.",
)
_REQUEST_LIMITS: Final = (_ONE_REQUEST, _QUIET_REQUESTS)

REQUESTS: Final = (
    Measure(
        "requests",
        "priority",
        "per day",
        1,
        "rate",
        "requests",
        None,
        Text("requests / days on which the junction was heard", "demandes / jours où le carrefour a été entendu"),
        _REQUEST_LIMITS,
    ),
    Measure(
        "granted",
        "priority",
        "%",
        100,
        "share",
        "granted",
        "requests",
        Text("requests that were granted / requests · 100", "demandes accordées / demandes · 100"),
        _REQUEST_LIMITS,
    ),
    Measure(
        "time_to_grant",
        "priority",
        "s",
        1,
        "mean",
        "granted_s",
        "granted",
        Text(
            "mean time from a request to its grant, of those that were granted",
            "temps moyen d’une demande à son accord, pour celles qui l’ont été",
        ),
        _REQUEST_LIMITS,
        squares="granted_squares",
    ),
    Measure(
        "time_to_answer",
        "priority",
        "s",
        1,
        "mean",
        "answered_s",
        "answered",
        Text(
            "mean time from a request to the first answer, of those that had one",
            "temps moyen d’une demande à la première réponse, pour celles qui en ont eu une",
        ),
        _REQUEST_LIMITS,
        squares="answered_squares",
    ),
)

PREDICTIONS: Final = (
    Measure(
        "prediction_error",
        "signal",
        "s",
        1,
        "mean",
        "error_s",
        "foretold",
        Text(
            "mean of |change − what was foretold ten seconds before|, of changes that were foretold",
            "moyenne de |changement − annonce dix secondes avant|, pour les changements annoncés",
        ),
        (
            Text(
                "A change that nothing had foretold has no error: the share that was foretold is told beside it.",
                "Un changement que rien n’annonçait n’a pas d’erreur : la part annoncée est dite à côté.",
            ),
        ),
    ),
    Measure(
        "foretold",
        "signal",
        "%",
        100,
        "mean",
        "foretold",
        "changes",
        Text(
            "changes that were foretold ten seconds before / changes · 100",
            "changements annoncés dix secondes avant / changements · 100",
        ),
        (),
    ),
)

ALL: Final = (*PASSAGES, *REQUESTS, *PREDICTIONS)
