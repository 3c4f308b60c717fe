"""The documentation site, made from the pages where they stand in the repository."""
