"""Options of the test run. Nothing is imported from here."""

import pytest
from hypothesis import settings

# A busy machine must not fail a property: how long an example takes says nothing about it.
settings.register_profile("garonne", deadline=None)
settings.load_profile("garonne")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-cases` rewrites the expectation files of golden cases; read the diff before committing it."""
    parser.addoption("--update-cases", action="store_true", help="rewrite expected.* of the golden cases")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which families of the samples have no profile yet."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in report.user_properties:
            if name == "families without a profile" and value:
                terminalreporter.write_line(f"samples not read yet, {name}: {value}")
