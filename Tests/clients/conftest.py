"""The fixtures: real servers on throw-away data directories.

Run with `pip install -r Tests/clients/requirements.txt && pytest Tests/clients` after `swift build`; the environment
variable `PARLEY_BINARY` names another binary than the checkout's debug build.
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from harness import Server, binary

LOG_LINES_SHOWN = 60

# A run in the background ignores SIGINT, and every program that it starts would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def built_binary() -> None:
    """Ends the run at once when there is nothing to test."""
    if shutil.which(binary()) is None:
        pytest.exit(f"no server binary at {binary()}: run `swift build`, or name one in PARLEY_BINARY", returncode=1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yields a running server shared by tests that keep to users of their own; it must end cleanly."""
    yield from _running(Server(tmp_path_factory.mktemp("shared")))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """Yields a running server of the test's own, which it may kill, stop and damage."""
    server = Server(tmp_path)
    try:
        yield server.start()
    finally:
        server.clean_up()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows with a failed test what its server wrote to standard error."""
    report = yield
    servers = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Server)]
    if report.failed:
        for server in filter(lambda server: server.stderr.exists(), servers):
            lines = server.stderr.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            report.sections.append((f"end of {server.stderr}", "\n".join(lines)))
    return report


def _running(server: Server) -> Iterator[Server]:
    try:
        yield server.start()
        server.stop()
    finally:
        server.clean_up()
