"""Files that come from the code: schemas, the AsyncAPI document, reference pages, tables in READMEs.

`python -m scripts.generate` writes them; `--check` only says which are not as generated.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from schemas.asyncapi import asyncapi_document
from schemas.jsonschemas import json_schemas
from scripts.attacks import attacks_page
from scripts.dashboards import dashboard_files
from scripts.kubernetes import manifests
from scripts.reference import reference_pages, tables_in_place
from scripts.scaling import scaling_page
from services.ingest.declarative import read_table
from services.ingest.declarative.describe import with_table
from tests.chaos.table import page as faults_page

ROOT = Path(__file__).resolve().parent.parent


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file with what it must hold."""
    for name, schema in json_schemas().items():
        yield ROOT / "schemas" / "json" / f"{name}.json", json.dumps(schema, indent=2, sort_keys=True) + "\n"
    yield ROOT / "schemas" / "asyncapi.json", json.dumps(asyncapi_document(), indent=2) + "\n"
    for name, text in reference_pages().items():
        yield ROOT / name, text
    yield ROOT / "docs" / "attacks.md", attacks_page()
    yield from tables_in_place(ROOT).items()
    yield from dashboard_files(ROOT)
    yield ROOT / "docs" / "operations" / "scaling.md", scaling_page()
    yield ROOT / "deploy" / "kubernetes" / "garonne.yaml", manifests()
    faults = ROOT / "docs" / "faults.md"
    yield faults, faults_page(faults.read_text("utf-8"))
    for table in sorted(ROOT.glob("services/ingest/profiles/*/fields.toml")):
        page = table.parent / "README.md"
        yield page, with_table(page.read_text("utf-8"), read_table(table.read_text("utf-8"), table.name))


def main(arguments: list[str]) -> int:
    """Write or check; 1 if `--check` finds a difference."""
    check = arguments == ["--check"]
    stale = [(path, text) for path, text in generated() if not path.exists() or path.read_text("utf-8") != text]
    for path, text in stale:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is not as generated: run scripts/generate and commit the result", file=sys.stderr)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
