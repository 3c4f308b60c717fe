"""The mapping engine: a meter family as a table of topics and fields, read once, run as closures.

A table is a TOML file (`docs` and README.md of this folder describe it): which topics, where the device's name
stands, which key is which register or gauge in which unit, which clock to believe, what means "not available".
The profiles of this project use it for every family that needs no codec, and a site adds its own the same way.
"""

from services.ingest.declarative.profile import profile_of, read_profile
from services.ingest.declarative.table import Table, TableProblem, read_table

__all__ = ["Table", "TableProblem", "profile_of", "read_profile", "read_table"]
