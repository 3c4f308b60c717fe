"""Traffic of which everything is known, driven by Eclipse SUMO, and what Garonne makes of its messages (docs/adr/0028).

`python -m tests.microsimulation` plays the long form and writes docs/accuracy-of-passages.md.
"""
