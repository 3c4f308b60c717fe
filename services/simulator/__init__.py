"""A simulated Bordeaux: devices that publish over MQTT. Knows MQTT and formats, nothing of Garonne.

`Bordeaux` is the city, a function of its seed: the same seed gives the same homes, weather, faults and traffic.
It publishes nothing by itself: `Publisher` does, over MQTT 3.1.1 at QoS 1. What the city really consumed, and which
vehicles really passed, stands in `Truth`, for a test to compare with what was stored.
"""

from services.simulator.city import Bordeaux
from services.simulator.publisher import BrokerGone, Publisher
from services.simulator.season import Winter, last_two_winters
from services.simulator.truth import Truth

__all__ = ["Bordeaux", "BrokerGone", "Publisher", "Truth", "Winter", "last_two_winters"]
