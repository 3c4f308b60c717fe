"""The report: outcomes of indicators as a page that a council reads, and as JSON that a machine reads. No I/O."""
