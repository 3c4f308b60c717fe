"""The only place where client libraries of ingest are imported."""
