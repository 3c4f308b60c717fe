"""Demand for the town, and SUMO: run once, read as often as wanted, one instant after the other."""

import random
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from tests.microsimulation.network import Network
from tests.servers.provision import SUMO, folder
from tests.servers.running import ServerMissing

__all__ = ["STATION_TYPES", "Driven", "Seen", "Shown", "drive", "sumo_program"]

WARM_UP_S: Final = 420
"""Until the town is full; nobody hears of it."""

STATION_TYPES: Final = {"car": 5, "van": 7, "truck": 8, "bus": 6, "motorcycle": 4, "hasty": 5}
"""The ETSI station type of each kind of vehicle of the demand; who is hasty drives a car."""

_KINDS: Final = {
    # share, and what SUMO needs to know of it
    "car": (0.67, 'vClass="passenger" speedDev="0.08" sigma="0.5"'),
    "van": (0.08, 'vClass="delivery" length="6.5" speedDev="0.05"'),
    "truck": (0.06, 'vClass="truck" length="12" accel="1.1" decel="3.5" speedFactor="0.95" speedDev="0.03"'),
    "bus": (0.05, 'vClass="bus" length="12" accel="1.1" decel="3.5" speedFactor="0.95" speedDev="0.03"'),
    "motorcycle": (0.04, 'vClass="motorcycle" speedDev="0.10"'),
    # Drives on in amber, and in the first seconds of red.
    "hasty": (0.10, 'vClass="passenger" speedDev="0.08" jmDriveAfterYellowTime="4" jmDriveAfterRedTime="8"'),
}
_STATE: Final = re.compile(r'<tlsState time="([\d.]+)" id="(\w+)" programID="\w+" phase="(\d+)"')


class Seen(NamedTuple):
    """A vehicle at an instant, as SUMO knows it: metres of the plane, degrees, m/s; `at_m` from its lane's begin."""

    vehicle: str
    x_m: float
    y_m: float
    heading_deg: float
    kind: str
    speed_mps: float
    at_m: float
    lane: str


class Shown(NamedTuple):
    """A phase of a junction's program that began; the next one ends it."""

    since_s: float
    phase: int


class Driven(NamedTuple):
    """What SUMO wrote."""

    folder: Path
    begin_s: int
    end_s: int

    def instants(self) -> Iterator[tuple[float, list[Seen]]]:
        """Every tenth of a second, and all vehicles that were on the road."""
        with (self.folder / "vehicles.csv").open("r") as rows:
            next(rows)
            split = (row.rstrip("\n").split(";") for row in rows)
            for at_s, group in groupby(split, key=lambda row: row[0]):
                yield (
                    float(at_s),
                    [
                        Seen(name, float(x), float(y), float(angle), kind, float(speed), float(at_m), lane)
                        for _, name, x, y, angle, kind, speed, at_m, lane in group
                    ],
                )

    def phases(self) -> dict[str, list[Shown]]:
        """The phases of each junction, in time."""
        found: dict[str, list[Shown]] = defaultdict(list)
        for at_s, name, phase in _STATE.findall((self.folder / "signals.xml").read_text()):
            if not found[name] or found[name][-1].phase != int(phase):
                found[name].append(Shown(float(at_s), int(phase)))
        return found


def sumo_program(name: str) -> Path:
    """A program of SUMO.

    Raises:
        ServerMissing: it is not on this machine.
    """
    path = folder() / SUMO / "sumo" / "bin" / name
    if not path.exists():
        raise ServerMissing("SUMO is not on this machine; run: make servers")
    return path


def drive(network: Network, into: Path, lasts_s: int, vehicles: int, seed: int) -> Driven:
    """Let so many vehicles at once drive, and write what they do once the town is full.

    Raises:
        ServerMissing: SUMO is not on this machine.
        subprocess.CalledProcessError: SUMO found a fault.
    """
    end_s = WARM_UP_S + lasts_s
    (into / "demand.rou.xml").write_text(_demand(network, end_s, random.Random(seed)))  # noqa: S311 - repeatable
    events = "".join(
        f'<timedEvent type="SaveTLSStates" source="{each.name}" dest="signals.xml"/>' for each in network.junctions
    )
    (into / "events.xml").write_text(f"<additional>{events}</additional>")
    command = [
        str(sumo_program("sumo")), f"-n={network.net.name}", "-r=demand.rou.xml",
        f"-a={network.programs.name},events.xml",
        "--step-length=0.1", f"-e={end_s}", f"--seed={seed}", f"--max-num-vehicles={vehicles}", "--max-depart-delay=30",
        "--time-to-teleport=-1", "--collision.action=none", "--fcd-output=vehicles.csv", "--precision=3",
        "--fcd-output.attributes=x,y,angle,speed,lane,pos,type", f"--device.fcd.begin={WARM_UP_S}",
        "--xml-validation=never", "--no-step-log",
    ]  # fmt: skip
    subprocess.run(command, cwd=into, check=True, capture_output=True)
    return Driven(into, WARM_UP_S, end_s)


def _demand(network: Network, end_s: int, chance: random.Random) -> str:
    """More vehicles than fit in: SUMO lets one in whenever one has left."""
    kinds = "".join(f'<vType id="{name}" {said}/>\n' for name, (_, said) in _KINDS.items())
    shares = [share for share, _ in _KINDS.values()]
    trips: list[str] = []
    at_s = 0.0
    while (at_s := at_s + chance.expovariate(2.5)) < end_s:
        entry = chance.choice(network.entries)
        other = chance.choice([each for each in network.entries if each != entry])
        out = "_".join(reversed(other.split("_")))
        (kind,) = chance.choices(list(_KINDS), shares)
        said = f'id="{len(trips)}" type="{kind}" depart="{at_s:.1f}" from="{entry}" to="{out}"'
        trips.append(f'<trip {said} departLane="best" departSpeed="max"/>\n')
    return f"<routes>{kinds}{''.join(trips)}</routes>"
