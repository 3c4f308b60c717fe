"""The shipped deployment: its files for shape, its configurations on the real servers."""
