"""What teleinfo2mqtt publishes besides the TIC labels (those stand in `services.ingest.codecs.tic`)."""

from typing import Final

__all__ = ["AVAILABILITY", "CALENDAR_COLOURS", "CALENDAR_COUNTS", "CALENDAR_STATES", "TEXT_BY_VALUE"]

AVAILABILITY: Final = {"up": "online", "online": "online", "down": "offline", "offline": "offline"}
"""Words of `teleinfo/status`; the gateway has no last will, so only `up` is ever seen of 9.1."""

CALENDAR_STATES: Final = {"today": "tariff_colour_today", "tomorrow": "tariff_colour_tomorrow"}
"""Keys of `teleinfo/tempo` that hold a colour."""

CALENDAR_COLOURS: Final = ("blue", "white", "red")

CALENDAR_COUNTS: Final = {
    f"{colour}_{what}": f"{colour}_days_{what}"
    for colour in CALENDAR_COLOURS
    for what in ("total", "elapsed", "remaining")
}
"""Keys of `teleinfo/tempo` that count days of the season."""

TEXT_BY_VALUE: Final = frozenset(("PTEC", "OPTARIF"))
"""Labels whose `value` is the word and whose `raw` is the word padded with dots (`HP..`)."""
