"""Codecs of wire formats that several profiles share."""
