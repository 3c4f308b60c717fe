"""Keys of the sections METER, CONTRACT and PROD (the labels of TIC stand in `services.ingest.codecs.tic`).

Source: documentation of NicolasBernaerts/tasmota (teleinfo). `ENERGY` is never read: its figures are wrong
(NicolasBernaerts/tasmota#1 and #36; meters.md section 0).
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from schemas.energy import Gauge, Register
from services.ingest.codecs import tic, trusted

__all__ = ["COLOURS", "CONTRACT_REGISTERS", "CONTRACT_STATES", "MARKERS", "METER", "PROD"]

MARKERS: Final = re.compile(rb'"(?:TIC|METER|CONTRACT|PROD|Load)"')
"""Only these drivers write one of these keys; `Load` stands in their ENERGY section, without TIC too."""

METER: Final[Mapping[str, Callable[[float], Gauge]]] = {
    "P": trusted.gauge("apparent_power", "import", "VA"),  # VA in spite of the letter
    "W": trusted.gauge("active_power", "import", "W"),
    "I": trusted.gauge("current", "total", "A"),
    "PP": trusted.gauge("apparent_power", "export", "VA"),
    "PW": trusted.gauge("active_power", "export", "W"),
    "PSUB": trusted.gauge("subscribed_power", "import", "VA"),
    "ISUB": trusted.gauge("current", "subscribed", "A"),
    **{f"U{n}": trusted.gauge("voltage", f"L{n}", "V") for n in (1, 2, 3)},
    **{f"I{n}": trusted.gauge("current", f"L{n}", "A") for n in (1, 2, 3)},
    **{f"P{n}": trusted.gauge("apparent_power", f"L{n}", "VA") for n in (1, 2, 3)},
    **{f"W{n}": trusted.gauge("active_power", f"L{n}", "W") for n in (1, 2, 3)},
    **{f"C{n}": trusted.gauge("power_factor", f"L{n}", "1") for n in (1, 2, 3)},
}

PROD: Final[Mapping[str, Callable[[float], Gauge]]] = {
    "VA": trusted.gauge("apparent_power", "export", "VA"),
    "W": trusted.gauge("active_power", "export", "W"),
}

CONTRACT_REGISTERS: Final[Mapping[str, Callable[[float], Register]]] = {
    "CONSO": tic.index("total"),
    "PROD": tic.index("total", export=True),
    "BASE": tic.index("base"),
    "HC": tic.index("HC"),
    "HP": tic.index("HP"),
    "HEURE CREUSE": tic.index("HC"),
    "HEURE PLEINE": tic.index("HP"),
    "HEURES CREUSES": tic.index("HC"),
    "HEURES PLEINES": tic.index("HP"),
    "HC BLEU": tic.index("tempo_blue_hc"),
    "HP BLEU": tic.index("tempo_blue_hp"),
    "HC BLANC": tic.index("tempo_white_hc"),
    "HP BLANC": tic.index("tempo_white_hp"),
    "HC ROUGE": tic.index("tempo_red_hc"),
    "HP ROUGE": tic.index("tempo_red_hp"),
}
"""Wh as text or number; CONSO is the total, the others are parts of it."""

CONTRACT_STATES: Final = {"name": "contract", "period": "tariff_period"}
COLOURS: Final = {"tday": "tariff_colour_today", "tmrw": "tariff_colour_tomorrow"}
