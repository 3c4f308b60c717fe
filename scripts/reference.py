"""Reference pages and the tables in READMEs that come from the code."""

from pathlib import Path

__all__ = ["reference_pages", "tables_in_place"]


def reference_pages() -> dict[str, str]:
    """Whole pages by path."""
    return {}


def tables_in_place(root: Path) -> dict[Path, str]:
    """Files in which a table between markers is generated."""
    del root
    return {}
