"""The real servers of the tests: how they come to a bare machine, and how they are run."""
