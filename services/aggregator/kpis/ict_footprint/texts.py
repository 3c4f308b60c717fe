"""The words of the indicator."""

from typing import Final

from services.aggregator.kpis.results import Text

FORMULA_ENERGY: Final = Text(
    "kWh = (idle W · seconds of clock + busy W · seconds of CPU, or joules counted) / 3.6e6 · PUE, over all processes, "
    "/ share of the hours told; + what the city enters for brokers, databases and network",
    "kWh = (W au repos · secondes d’horloge + W actif · secondes de CPU, ou joules comptés) / 3,6e6 · PUE, pour tous "
    "les processus, / part des heures relevées ; + ce que la ville saisit pour courtiers, bases et réseau",
)
FORMULA_EMISSIONS: Final = Text(
    "kgCO2e = E · I + M: energy times greenhouse gas of a kWh, plus the share of making the servers",
    "kgCO2e = E · I + M : énergie fois gaz à effet de serre d’un kWh, plus la part de fabrication des serveurs",
)
FORMULA_SCI: Final = Text(
    "SCI = (E · I + M) / R, R = 1,000 events made of messages; no offset is counted",
    "SCI = (E · I + M) / R, R = 1 000 événements tirés des messages ; aucune compensation n’est comptée",
)
FORMULA_REDUCTION: Final = Text(
    "(CO2 of the base year − CO2 of 365 days like this period) / CO2 of the base year · 100",
    "(CO2 de l’année de référence − CO2 de 365 jours comme cette période) / CO2 de l’année de référence · 100",
)
FORMULA_NET: Final = Text(
    "kWh that the families saved / kWh that this service used, over the same days",
    "kWh économisés par les familles / kWh consommés par ce service, sur les mêmes jours",
)
GOAL: Final = Text(
    "Green Digital Charter, commitment 4: 30% less within ten years of the base year",
    "Green Digital Charter, engagement 4 : 30 % de moins en dix ans après l’année de référence",
)
LIMIT_MODEL: Final = Text(
    "Where the machine has no counter of energy, watts are taken from a model whose factors are to be checked "
    "against their sources.",
    "Là où la machine n’a pas de compteur d’énergie, les watts viennent d’un modèle dont les facteurs restent à "
    "vérifier à leur source.",
)
LIMIT_COUNTER: Final = Text(
    "Counted energy is that of the processors; memory, disks and fans are not in it.",
    "L’énergie comptée est celle des processeurs ; mémoire, disques et ventilateurs n’y sont pas.",
)
LIMIT_OTHER: Final = Text(
    "Brokers, databases, network and the devices in homes and streets are counted only as far as the city enters "
    "their energy.",
    "Courtiers, bases, réseau et appareils des foyers et des rues ne comptent que si la ville en saisit l’énergie.",
)
LIMIT_GRID: Final = Text(
    "The greenhouse gas of a kWh is a mean of the year; it is to be checked against its source.",
    "Le gaz à effet de serre d’un kWh est une moyenne annuelle, à vérifier à sa source.",
)
LIMIT_YEAR: Final = Text(
    "The period stands for a year: seasons of the service's load are not known.",
    "La période vaut pour une année : les saisons de la charge du service ne sont pas connues.",
)
LIMIT_NET: Final = Text(
    "What the families saved is not due to this service alone.",
    "L’économie des familles n’est pas due à ce service seul.",
)
NO_DATA: Final = Text(
    "The service told nothing of its own use in this period: it does so each hour while it runs.",
    "Le service n’a rien dit de sa propre consommation sur cette période : il le fait chaque heure de marche.",
)
LOW: Final = Text(
    "The service told of its use in fewer than three in four hours of the period.",
    "Le service a relevé sa consommation pendant moins de trois heures sur quatre.",
)
NO_MODEL: Final = Text(
    "A factor of the power model is missing.",
    "Il manque un facteur du modèle de puissance.",
)
NO_EVENTS: Final = Text("No event was made in this period.", "Aucun événement n’a été produit sur cette période.")
NO_BASELINE: Final = Text(
    "There is no base year: enter ict_baseline_kgco2e_per_year with a day of that year.",
    "Il n’y a pas d’année de référence : saisissez ict_baseline_kgco2e_per_year avec un jour de cette année.",
)
SHORT: Final = Text(
    "Fewer than 28 days do not stand for a year.",
    "Moins de 28 jours ne valent pas pour une année.",
)
