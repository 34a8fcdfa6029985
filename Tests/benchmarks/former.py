"""The former system: its schema on a throw-away PostgreSQL, called directly by pgbench."""

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from load import BenchmarkError, Point, contents

SQL = Path(__file__).resolve().parent / "former"
ACCOUNT = "postgres"


@dataclass(frozen=True)
class FormerSystem:
    """A running server with the former schema in it."""

    programs: Path
    directory: Path
    seconds: int

    def seed(self, small: int, each: int = 0, big: int = 0, run: int = 1) -> None:
        """Make `small` users with `each` messages and one more with `big`, which arrive in runs of `run`."""
        sizes = {"small": small, "each": each, "big": big, "run": run}
        settings = [f"--set={name}={value}" for name, value in sizes.items()]
        self._psql("schema.sql", [])
        self._psql("seed.sql", settings)

    def save(self, name: str, connections: int, spread: int = 0) -> Point:
        """Measure `store_pam_message`: each connection in its own conversation, or in a random one of the first `spread`."""
        return self._measure(name, "save.pgbench", connections, self.seconds, {"spread": spread})

    def history(self, name: str, connections: int, first: int, last: int, share: float = 1) -> Point:
        """Measure `get_conversation_history` for random users from `first` to `last`."""
        seconds = max(1, round(self.seconds * share))
        return self._measure(name, "history.pgbench", connections, seconds, {"first": first, "last": last})

    def version(self) -> str:
        """Return the version of the server."""
        return _run_as_owner([self.programs / "postgres", "--version"], self.directory).split()[2]

    def _psql(self, script: str, settings: list[str]) -> None:
        options = ["-h", self.directory, "-U", ACCOUNT, "-d", ACCOUNT, "-X", "-q", "--set=ON_ERROR_STOP=1"]
        _run_as_owner([self.programs / "psql", *options, *settings], self.directory, (SQL / script).read_text())

    def _measure(self, name: str, script: str, connections: int, seconds: int, variables: dict[str, int]) -> Point:
        text = (SQL / script).read_text().replace("{content}", contents(1)[0])
        path = self.directory / script
        path.write_text(text)
        path.chmod(0o644)
        command = [self.programs / "pgbench", "-h", self.directory, "-U", ACCOUNT, "-n", "-M", "prepared", "-f", path]
        command += ["-c", connections, "-j", min(2, connections), *(f"-D{key}={value}" for key, value in variables.items())]
        _run_as_owner([*command, "-T", 1, ACCOUNT], self.directory)
        prefix = self.directory / "latencies"
        output = _run_as_owner([*command, "-T", seconds, "-l", f"--log-prefix={prefix}", ACCOUNT], self.directory)
        return self._point(name, connections, output)

    def _point(self, name: str, connections: int, output: str) -> Point:
        """Read the rate that pgbench printed and the latency of each call from the logs it left."""
        latencies: list[int] = []
        for log in self.directory.glob("latencies.*"):
            latencies += [int(line.split()[2]) for line in log.read_text().splitlines()]
            log.unlink()
        latencies.sort()
        rate = next((float(line.split()[2]) for line in output.splitlines() if line.startswith("tps =")), 0.0)
        if not latencies or not rate:
            raise BenchmarkError(f"pgbench measured nothing at {name}: {output.strip()}")
        return Point(
            name=name,
            connections=connections,
            requests=len(latencies),
            seconds=len(latencies) / rate,
            mean_us=sum(latencies) / len(latencies),
            p50_us=latencies[len(latencies) // 2],
            p99_us=latencies[len(latencies) * 99 // 100],
        )


@contextmanager
def former_system(parent: Path, seconds: int) -> Iterator[FormerSystem]:
    """Run a PostgreSQL with default, durable settings below `parent`, and stop and remove it at the end."""
    programs = server_programs()
    directory = parent / "former"
    directory.mkdir()
    if os.geteuid() == 0:
        shutil.chown(directory, ACCOUNT)
    data = directory / "data"
    _run_as_owner([programs / "initdb", "-D", data, "-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"], directory)
    with (directory / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", directory, "-c", "listen_addresses="],
            stdout=log,
            stderr=log,
            start_new_session=True,
            **_owner(directory),
        )
    try:
        _await_ready(server, programs, directory)
        yield FormerSystem(programs, directory, seconds)
    finally:
        _stop(server)
        shutil.rmtree(directory, ignore_errors=True)


def server_programs() -> Path:
    """Return the folder of PostgreSQL's programs: the one in the path, else the newest that Debian installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not installed:
        raise BenchmarkError("PostgreSQL is missing: install the package postgresql.")
    return installed[-1].parent


def _owner(directory: Path) -> dict[str, object]:
    """Return how to start a process as somebody PostgreSQL agrees to run as: it refuses root."""
    if os.geteuid() != 0:
        return {"cwd": directory}
    account = pwd.getpwnam(ACCOUNT)
    return {"cwd": directory, "user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _run_as_owner(command: list[object], directory: Path, text: str | None = None) -> str:
    finished = subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, **_owner(directory)
    )
    if finished.returncode != 0:
        raise BenchmarkError(f"{Path(str(command[0])).name} failed: {finished.stderr.strip()}")
    return finished.stdout


def _await_ready(server: subprocess.Popen[bytes], programs: Path, directory: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            break
        if subprocess.run([programs / "pg_isready", "-q", "-h", directory]).returncode == 0:
            return
        time.sleep(0.1)
    raise BenchmarkError(f"PostgreSQL did not start: {(directory / 'server.log').read_text()[-2000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Shut down fast (SIGINT, as PostgreSQL names it), then at once."""
    for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        server.send_signal(request)
        try:
            server.wait(timeout=30)
            return
        except subprocess.TimeoutExpired:
            continue
