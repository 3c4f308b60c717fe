"""A run of the town, heard at several levels of disturbance."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.microsimulation.accuracy import Accuracy, accuracy_of
from tests.microsimulation.comparison import Compared, compare
from tests.microsimulation.disturbance import Level
from tests.microsimulation.driving import Driven, drive, sumo_program
from tests.microsimulation.hearing import Heard, hear
from tests.microsimulation.network import Network, build
from tests.microsimulation.radio import Radio
from tests.microsimulation.truth import Truth, truths_of

__all__ = ["Played", "Town", "play", "town"]


class Town(NamedTuple):
    """What was driven, and what is true of it."""

    network: Network
    driven: Driven
    truths: Sequence[Truth]
    seed: int

    def only(self, junctions: int) -> "Town":
        """The same with the first junctions alone: the others have no roadside unit."""
        network = self.network._replace(junctions=self.network.junctions[:junctions])
        zones = {each.zone for each in network.junctions}
        return self._replace(network=network, truths=[each for each in self.truths if each.zone in zones])


class Played(NamedTuple):
    """What came of one level."""

    level: Level
    sent: int
    heard: Heard
    compared: Compared
    accuracy: Accuracy


def town(folder: Path, lasts_s: int, vehicles: int = 500, seed: int = 1) -> Town:
    """Let SUMO drive.

    Raises:
        ServerMissing: SUMO is not on this machine.
        subprocess.CalledProcessError: SUMO found a fault.
    """
    network = build(sumo_program("netconvert"), folder)
    driven = drive(network, folder, lasts_s, vehicles, seed)
    return Town(network, driven, truths_of(network, driven), seed)


def play(played: Town, levels: Sequence[Level]) -> Iterator[Played]:
    """Send, disturb, hear and compare."""
    for level in levels:
        radio = Radio(played.network, played.driven, level, played.seed)
        heard = hear(played.network, radio.messages())
        compared = compare(played.truths, heard.passages, radio.names)
        accuracy = accuracy_of(level, compared, played.network)
        yield Played(level, radio.sent, heard, compared, accuracy)
