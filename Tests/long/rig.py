"""A server whose store, spool and log may lie on disks of their own, and what is preloaded into it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import Native, Server, poll

DRAIN_SECONDS = 60.0
STUCK_SECONDS = 10.0


class Rig(Server):
    """One `parley serve` of which every file can be put elsewhere."""

    def __init__(
        self, directory: Path, *, store: Path | None = None, spool: Path | None = None, log: Path | None = None
    ) -> None:
        """Prepares a server whose files lie under `directory`, except for those that are put elsewhere."""
        super().__init__(directory)
        self._store_directory = store or self.data
        self._spool_directory = spool or self.data
        self._log_directory = log or directory
        self._prefix: list[str] = []
        # As variables they also reach `parley check`.
        self.settings.update(PARLEY_STORE=f"sqlite:{self.store}", PARLEY_SPOOL=str(self._spool_directory))

    @property
    def settings(self) -> dict[str, str]:
        """Returns the environment variables of its own; what is changed holds from the next start on."""
        return self._settings

    @property
    def store(self) -> Path:
        """Returns the file of the message store."""
        return self._store_directory / "parley.sqlite"

    @property
    def spool(self) -> Path:
        """Returns the file of the spool."""
        return self._spool_directory / "spool.sqlite"

    @property
    def stderr(self) -> Path:
        """Returns the file that holds the standard error of every run."""
        return self._log_directory / "stderr.log"

    @property
    def is_running(self) -> bool:
        """Tells whether a process is there; it may have ended by itself."""
        return self._process is not None

    def status(self) -> dict[str, Any]:
        """Returns what the server says of itself to operators."""
        with Native(self, self.service_key) as operator:
            answer = operator.ask("GET", "/v1/status")
            assert answer.status == 200, answer
            found: dict[str, Any] = answer.json
            return found

    def wait_until_well(self) -> None:
        """Waits until the store is back and has everything that waited in the spool."""

        def is_well() -> bool:
            with Native(self, "") as anybody:
                state = anybody.ask("GET", "/readyz").json["status"]
            return bool(state == "ok") and self.status()["spool"]["waiting"] == 0

        poll(is_well, DRAIN_SECONDS, "an empty spool and a store that is back")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stops every thread of the server between two of its calls while the body runs."""
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        try:
            poll(lambda: all(_state(task) in "TZX" for task in Path(f"/proc/{process.pid}/task").iterdir()),
                 STUCK_SECONDS, "a stop of all threads")
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def drains(self) -> bool:
        """Waits a while, and tells whether the spool holds nothing any more that the store could take."""
        try:
            poll(lambda: self.status()["spool"]["waiting"] == 0, STUCK_SECONDS, "a spool that drained")
        except AssertionError:
            return False
        return True

    def refusal(self) -> int | None:
        """Starts the server; returns its exit code if it refuses, else `None`."""
        try:
            self.start()
        except AssertionError:
            code = self._running().poll()
            if code is None:
                raise
            self._process = None
            return code
        return None

    def preload(self, *libraries: Path, **variables: str) -> None:
        """Loads libraries into the server from its next start on."""
        variables = {"LD_PRELOAD": ":".join(map(str, libraries)), **variables}
        settings = [f"{name}={value}" for name, value in variables.items()]
        # The second `env` is loaded with them, too. One that sets variables of its own, as libfaketime does,
        # does so there: in the server Swift would then not find the arguments, which it looks for beside the variables.
        self._prefix = ["env", *settings, "env"]

    def serve_command(self, port: int) -> list[str]:
        """Returns the command line of a server, under what is preloaded."""
        return [*self._prefix, *super().serve_command(port)]


def _state(task: Path) -> str:
    """Returns the letter for what a thread does: T for one that was stopped."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


def built(source: Path, directory: Path) -> Path:
    """Compiles a library that is to be preloaded, and returns it."""
    library = directory / (source.stem + ".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library
