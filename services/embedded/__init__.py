"""Embedded mode: a broker in the wheel, event log and time series in SQLite, behind the same ports."""
