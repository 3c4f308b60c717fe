"""The only place where client libraries of the aggregator are imported."""
