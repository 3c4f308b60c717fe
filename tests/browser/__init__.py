"""The report as people open it: in Chromium, on a desk, on a phone and on paper."""
