"""The registry says whose a device is, and which names one meter has; what contradicts itself is refused."""

from pathlib import Path

import pytest

from services.runtime.registry import RegistryProblem, read_registry

HOME = '[[households]]\nid = "un"\ndevices = ["linky:9", "gazpar:5"]\n'


def _file(folder: Path, text: str) -> Path:
    path = folder / "households.toml"
    path.write_text(text)
    return path


def test_both_names_of_a_meter_belong_to_the_home(tmp_path: Path) -> None:
    """And both are of the device that the gateway names."""
    registry = read_registry(_file(tmp_path, HOME + 'same_meter = { "enedis_csv:1" = "linky:9" }\n'))
    assert registry.household_of == {"linky:9": "un", "gazpar:5": "un", "enedis_csv:1": "un"}
    assert registry.meter_of == {"enedis_csv:1": "linky:9"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('same_meter = { "enedis_csv:1" = "linky:8" }', "none of the devices"),
        ('same_meter = { "0123" = "linky:9" }', "<profile>:<identifier>"),
        ('same_meter = { "gazpar:5" = "linky:9" }', "listed twice"),
        ('sub_meters = ["tasmota:7"]', "sub_meters: .* none of the devices"),
        ('sub_meters = ["linky:9", "gazpar:5"]', "which is the main meter"),
    ],
)
def test_a_name_that_contradicts_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """With the rule that it breaks."""
    with pytest.raises(RegistryProblem, match=problem):
        read_registry(_file(tmp_path, HOME + text))
