"""Payloads as devices write them. Each function makes one message; nothing here knows who reads it.

Sources: teleinfo2mqtt 9 (docs/mqtt), Enedis-NOI-CPT_54E and CPT_02E for the labels; Tasmota documentation (MQTT,
Energy Monitoring, Teleinfo); RFC 8428 for SenML; Orange its-client, CAM schema 2.4.0, with the raw integers of
ETSI TS 102 894-2.
"""

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from services.simulator.season import PARIS

__all__ = [
    "Publication",
    "awareness",
    "linky_historique",
    "linky_standard",
    "outdoor_temperature",
    "quadkey",
    "tasmota_energy",
    "tasmota_state",
    "tasmota_teleinfo",
]

_ITS_EPOCH_MS: Final = 1_072_915_200_000
_LEAP_MS: Final = 5_000
_ZOOM: Final = 22
_LENGTHS_DM: Final = {5: 42, 6: 180}


class Publication(NamedTuple):
    """One MQTT message to publish."""

    topic: str
    payload: bytes


@lru_cache(maxsize=4096)
def _wall(minute: int) -> tuple[str, str, str]:
    """Local wall clock up to the minute, as ISO text; the season; the horodate of the TIC up to the minute."""
    local = datetime.fromtimestamp(minute * 60, UTC).astimezone(PARIS)
    summer = bool(local.dst())
    return local.strftime("%Y-%m-%dT%H:%M"), "summer" if summer else "winter", local.strftime("%y%m%d%H%M")


def linky_standard(serial: str, at_s: int, index_wh: int, power_va: int) -> Publication:
    """A frame of standard mode by teleinfo2mqtt. `timestamp.date` ends in Z and holds the wall clock."""
    wall, season, _ = _wall(at_s // 60)
    amps = round(power_va / 232)
    text = (
        f'{{"ADSC":{{"raw":"{serial}","value":{int(serial)}}},"VTIC":{{"raw":"02","value":2}},'
        f'"DATE":{{"raw":"","value":"","timestamp":{{"date":"{wall}:{at_s % 60:02}.000Z","dst":"{season}"}}}},'
        f'"NGTF":{{"raw":"      BASE      ","value":"      BASE      "}},'
        f'"LTARF":{{"raw":"      BASE      ","value":"      BASE      "}},'
        f'"EAST":{{"raw":"{index_wh:09}","value":{index_wh}}},'
        f'"IRMS1":{{"raw":"{amps:03}","value":{amps}}},"URMS1":{{"raw":"232","value":232}},'
        f'"PREF":{{"raw":"09","value":9000}},"SINSTS":{{"raw":"{power_va:05}","value":{power_va}}},'
        f'"STGE":{{"raw":"003A0001","value":"003A0001"}},"PRM":{{"raw":"06{serial}","value":{int("06" + serial)}}}}}'
    )
    return Publication(f"teleinfo/{serial}", text.encode())


def linky_historique(serial: str, index_wh: int, power_va: int) -> Publication:
    """A frame of historique mode, Base contract, by teleinfo2mqtt. It has no clock."""
    amps = round(power_va / 232)
    text = (
        f'{{"ADCO":{{"raw":"{serial}","value":{int(serial)}}},"OPTARIF":{{"raw":"BASE","value":"BASE"}},'
        f'"ISOUSC":{{"raw":"45","value":45}},"BASE":{{"raw":"{index_wh:09}","value":{index_wh}}},'
        f'"PTEC":{{"raw":"TH..","value":"TH"}},"IINST":{{"raw":"{amps:03}","value":{amps}}},'
        f'"IMAX":{{"raw":"090","value":90}},"PAPP":{{"raw":"{power_va:05}","value":{power_va}}},'
        f'"HHPHC":{{"raw":"A","value":"A"}},"MOTDETAT":{{"raw":"000000","value":0}}}}'
    )
    return Publication(f"teleinfo/{serial}", text.encode())


def tasmota_energy(device: str, at_s: int, began_s: int, total_kwh: float, power_w: int) -> Publication:
    """SENSOR of a Tasmota energy meter; `Time` is local, without zone."""
    wall, _, _ = _wall(at_s // 60)
    began, _, _ = _wall(began_s // 60)
    text = (
        f'{{"Time":"{wall}:{at_s % 60:02}","ENERGY":{{"TotalStartTime":"{began}:{began_s % 60:02}",'
        f'"Total":{total_kwh:.3f},"Power":{power_w},"ApparentPower":{round(power_w * 1.04)},"Factor":0.96,'
        f'"Voltage":232,"Current":{power_w * 1.04 / 232:.3f}}}}}'
    )
    return Publication(f"tele/{device}/SENSOR", text.encode())


def tasmota_teleinfo(device: str, serial: str, at_s: int, index_wh: int, power_va: int) -> Publication:
    """SENSOR of a Tasmota with the Teleinfo driver on a Linky in historique mode, Base contract."""
    wall, _, _ = _wall(at_s // 60)
    text = (
        f'{{"Time":"{wall}:{at_s % 60:02}","TIC":{{"ADCO":"{serial}","OPTARIF":"BASE","ISOUSC":45,"BASE":{index_wh},'
        f'"PTEC":"TH..","IINST":{round(power_va / 232)},"IMAX":90,"PAPP":{power_va},"HHPHC":"A","MOTDETAT":0}}}}'
    )
    return Publication(f"tele/{device}/SENSOR", text.encode())


def tasmota_state(device: str, at_s: int) -> Publication:
    """STATE: radio and uptime, nothing metered."""
    wall, _, _ = _wall(at_s // 60)
    text = f'{{"Time":"{wall}:{at_s % 60:02}","UptimeSec":86400,"POWER":"ON","Wifi":{{"AP":1,"RSSI":68}}}}'
    return Publication(f"tele/{device}/STATE", text.encode())


def outdoor_temperature(station: str, at_s: int, temperature_degc: float) -> Publication:
    """A SenML pack of one record."""
    text = f'[{{"bn":"{station}:","bt":{at_s},"n":"outdoor_temperature","u":"Cel","v":{temperature_degc:.1f}}}]'
    return Publication(f"senml/station/{station}", text.encode())


def awareness(  # noqa: PLR0913, PLR0917 - what a CAM says
    station_id: int,
    at_ms: int,
    latitude_e7: int,
    longitude_e7: int,
    speed_cmps: int,
    heading_ddeg: int,
    station_type: int = 5,
) -> Publication:
    """A CAM of a car or a bus, its-client JSON 2.4.0; `generation_delta_time` counts TAI milliseconds since 2004."""
    delta = (at_ms - _ITS_EPOCH_MS + _LEAP_MS) % 65536
    source = f"com_car_{station_id}"
    text = (
        f'{{"message_type":"cam","version":"2.4.0","source_uuid":"{source}","timestamp":{at_ms},'
        f'"message":{{"protocol_version":2,"station_id":{station_id},"generation_delta_time":{delta},'
        f'"basic_container":{{"station_type":{station_type},"reference_position":{{"latitude":{latitude_e7},'
        f'"longitude":{longitude_e7},"position_confidence_ellipse":{{"semi_major":100,"semi_minor":100,'
        f'"semi_major_orientation":0}},"altitude":{{"value":1500,"confidence":3}}}}}},'
        f'"high_frequency_container":{{"basic_vehicle_container_high_frequency":{{'
        f'"heading":{{"value":{heading_ddeg},"confidence":10}},"speed":{{"value":{speed_cmps},"confidence":10}},'
        f'"drive_direction":0,"vehicle_length":{{"value":{_LENGTHS_DM[station_type]},"confidence":0}},"vehicle_width":18,'
        f'"longitudinal_acceleration":{{"value":0,"confidence":102}},"curvature":{{"value":0,"confidence":7}},'
        f'"curvature_calculation_mode":2,"yaw_rate":{{"value":0,"confidence":8}}}}}}}}}}'
    )
    tiles = "/".join(quadkey(latitude_e7 / 1e7, longitude_e7 / 1e7))
    return Publication(f"default/outQueue/v2x/cam/{source}/{tiles}", text.encode())


def quadkey(latitude_deg: float, longitude_deg: float) -> str:
    """The Bing tile that holds a position, as the last levels of its-client's topics."""
    across = (longitude_deg + 180) / 360
    down = 0.5 - math.atanh(math.sin(math.radians(latitude_deg))) / math.tau
    x, y = int(across * 2**_ZOOM), int(down * 2**_ZOOM)
    return "".join(str((x >> level & 1) + 2 * (y >> level & 1)) for level in range(_ZOOM - 1, -1, -1))
