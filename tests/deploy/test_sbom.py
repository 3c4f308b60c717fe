"""The bill of materials of each image: valid CycloneDX, every locked package, each with its hashes."""

import json
import re

import pytest
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

from scripts.lock_subset import closure, locked, subset
from scripts.sbom import IMAGES, write_bills
from tests.deploy.conftest import ROOT
from tests.deploy.test_dockerfile import EXTRAS


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The text of each, by image."""
    return {
        path.name.partition(".")[0]: path.read_text("utf-8") for path in write_bills(tmp_path_factory.mktemp("sbom"))
    }


def test_every_image_has_one(bills: dict[str, str]) -> None:
    """Of the same parts that its target installs."""
    assert IMAGES == EXTRAS
    assert set(bills) == set(EXTRAS)


@pytest.mark.parametrize("image", sorted(IMAGES))
def test_a_bill_names_every_package_with_its_version_and_hashes(bills: dict[str, str], image: str) -> None:
    """As requirements.lock has them, no more and no less; and the schema of CycloneDX takes it."""
    lock = locked(subset((ROOT / "requirements.lock").read_text("utf-8"), IMAGES[image]))
    bill = json.loads(bills[image])
    assert bill["metadata"]["component"]["name"] == "garonne"
    found = {each["name"]: each for each in bill["components"]}
    assert set(found) == set(lock) == closure(IMAGES[image])
    for name, entry in lock.items():
        assert entry.startswith(f"{name}=={found[name]['version']}")
        text = json.dumps(found[name])
        assert all(digest in text for digest in re.findall(r"sha256:([0-9a-f]{64})", entry)), name
    validator = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.from_version(bill["specVersion"]))
    assert validator.validate_str(bills[image]) is None
    assert validator.validate_str(bills[image].replace('"purl"', '"pearl"', 1)) is not None  # this check can fail
