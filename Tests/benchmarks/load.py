"""Measured points, and the load driver wrk that makes them over HTTP."""

import json
import random
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import machine

SCRIPTS = Path(__file__).resolve().parent / "wrk"
SEPARATOR = "\x1e"
CLIENT_ID_CHARACTERS = 20
CONTENT_BYTES = 300


class BenchmarkError(Exception):
    """Something that makes the figures worthless; the message says what, for the person at the terminal."""


@dataclass(frozen=True)
class Point:
    """One load held for some seconds; times are in microseconds, `cpu_us` is the server's per request."""

    name: str
    connections: int
    requests: int
    seconds: float
    mean_us: float
    p50_us: float
    p99_us: float
    cpu_us: float | None = None
    faults: int = 0

    @property
    def per_second(self) -> float:
        """Return the rate of finished requests."""
        return self.requests / self.seconds

    def as_json(self) -> dict[str, object]:
        """Return the fields and the rate, ready for a JSON file."""
        return asdict(self) | {"per_second": self.per_second}


@dataclass
class Recorder:
    """What a run has found so far: points, values of promises, remarks and problems that fail it."""

    points: list[Point] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, point: Point) -> Point:
        """Keep a point, show it, and note a problem if any answer was not the expected one."""
        self.points.append(point)
        cpu = "" if point.cpu_us is None else f"  cpu {point.cpu_us:.0f} us"
        machine.say(
            f"  {point.name:<44} c={point.connections:<3} {point.per_second:>9,.0f}/s  "
            f"p50 {point.p50_us / 1000:.2f} ms  p99 {point.p99_us / 1000:.2f} ms{cpu}"
        )
        if point.faults:
            self.problems.append(f"{point.name}, c={point.connections}: {point.faults} answers were errors or missing.")
        return point

    def check(self, holds: bool, problem: str) -> None:
        """Note a problem unless the fact holds."""
        if not holds:
            self.problems.append(problem)


def contents(count: int = 1000) -> list[str]:
    """Return texts of exactly 300 bytes, the same ones in every run, whose words are as unevenly common as real ones."""
    dice = random.Random(7)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(dice.choices(letters, k=dice.randint(2, 9))) for _ in range(4000)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    return [" ".join(dice.choices(words, weights, k=120))[:CONTENT_BYTES - 1] + "." for _ in range(count)]


def request_head(method: str, target: str, headers: dict[str, str], body_bytes: int = 0) -> str:
    """Return the head of an HTTP request, with the blank line that ends it."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body_bytes:
        lines += ["Content-Type: application/json", f"Content-Length: {body_bytes}"]
    return "\r\n".join(lines) + "\r\n\r\n"


@dataclass(frozen=True)
class Wrk:
    """wrk aimed at one server; `directory` takes the files of requests that its scripts read."""

    url: str
    server_pid: int
    directory: Path
    seconds: int

    def replay(self, name: str, requests: Sequence[str], connections: int, share: float = 1) -> Point:
        """Send whole requests at random for a share of the seconds, after a short warm-up, and return the point."""
        path = self._write("requests", requests)
        self._run(name, "replay.lua", [path], connections, self._warm_up)
        return self._run(name, "replay.lua", [path], connections, max(1, round(self.seconds * share)))

    def save(self, name: str, targets: Sequence[tuple[str, str]], connections: int) -> list[Point]:
        """Append messages to random ones of `targets` (path, token); return the points of the warm-up and of the measured run."""
        bodies = [f'{{"role":"user","content":"{text}","client_id":"' for text in contents()]
        length = len(bodies[0]) + CLIENT_ID_CHARACTERS + len('"}')
        heads = [request_head("POST", path, {"Authorization": f"Bearer {token}"}, length) for path, token in targets]
        files = [self._write("heads", heads), self._write("bodies", bodies)]
        return [
            self._run(name, "saves.lua", [*files, secrets.token_hex(4)], connections, seconds)
            for seconds in (self._warm_up, self.seconds)
        ]

    @property
    def _warm_up(self) -> int:
        return 1 if self.seconds < 10 else 2

    def _write(self, name: str, records: Sequence[str]) -> str:
        path = self.directory / f"wrk-{name}"
        path.write_text(SEPARATOR.join(records), newline="")
        return str(path)

    def _run(self, name: str, script: str, arguments: list[str], connections: int, seconds: int) -> Point:
        command = ["wrk", f"-t{threads(connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
        cpu_before = machine.cpu_seconds(self.server_pid)
        finished = subprocess.run(
            [*command, "-s", script, self.url, "--", *arguments], cwd=SCRIPTS, capture_output=True, text=True
        )
        cpu = machine.cpu_seconds(self.server_pid) - cpu_before
        lines = finished.stdout.strip().splitlines()
        if finished.returncode != 0 or not lines or not lines[-1].startswith("{"):
            raise BenchmarkError(f"wrk failed at {name}: {finished.stderr.strip() or finished.stdout.strip()}")
        summary = json.loads(lines[-1])
        if summary["requests"] == 0:
            raise BenchmarkError(f"No request of {name} was answered.")
        return Point(
            name=name,
            connections=connections,
            requests=summary["requests"],
            seconds=summary["seconds"],
            mean_us=summary["mean_us"],
            p50_us=summary["p50_us"],
            p99_us=summary["p99_us"],
            cpu_us=cpu * 1e6 / summary["requests"],
            # An answer of 400 or more that the script counts too is one fault, not two.
            faults=max(summary["unexpected"], summary["status"]) + summary["socket"],
        )


def threads(connections: int) -> int:
    """Return how many threads wrk uses: one for a lone connection, else two."""
    return 1 if connections == 1 else 2
