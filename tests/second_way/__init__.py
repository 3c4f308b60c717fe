"""A second implementation of the main indicators: slow, obvious, from the raw records of the event log."""
