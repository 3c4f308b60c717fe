"""Garonne's services: ingest, aggregator, what they share, and the command line."""
