"""The demo: the real program with its simulated users and outages, what it says and leaves behind when it is over."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness import binary, environment, poll
from screens import Terminal

SUMMARY = re.compile(
    r"demo: (?P<acknowledged>\d+) messages? acknowledged, (?P<spooled>\d+) of them by the spool; "
    r"(?P<outages>\d+) outages? of the store; (?P<found>\d+) found in the store in the end, lost (?P<lost>-?\d+); "
    r"(?P<trees>every tree is sound|\d+ findings?)")


def summary(text: str) -> dict[str, int]:
    """Returns the numbers of the line at the end, which must find everything in its place."""
    found = SUMMARY.search(text)
    assert found is not None, text
    assert found["trees"] == "every tree is sound" and found["lost"] == "0", text
    numbers = {name: int(number) for name, number in found.groupdict().items() if name != "trees"}
    assert numbers["found"] == numbers["acknowledged"] >= numbers["spooled"]
    return numbers


class Demo:
    """A demo without screens, whose directories lie under one of the test's own."""

    def __init__(self, directory: Path, *flags: str) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [binary(), "demo", "--no-dashboard", *flags], env=environment() | {"TMPDIR": str(directory)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=(directory / "log").open("wb"), text=True)

    def told(self) -> tuple[str, Path]:
        """Returns the server's address and its data directory, from the lines at the start."""
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(3)]
        address = re.search(r"http://[0-9.]+:\d+", lines[0])
        data = re.search(r"--data (\S+) ", lines[1])
        assert address is not None and data is not None and "parley chat" in lines[2], lines
        return address[0], Path(data[1])

    def ended(self, seconds: float = 40) -> str:
        """Waits for the end, and returns what was said there."""
        said, _ = self.process.communicate(timeout=seconds)
        assert self.process.returncode == 0, (said, (self.directory / "log").read_text())
        assert [path.name for path in self.directory.iterdir()] == ["log"], "the directory is gone"
        return said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Starts demos, and ends them whatever becomes of the test."""
    demos: list[Demo] = []

    def started(*flags: str) -> Demo:
        demos.append(Demo(tmp_path, *flags))
        return demos[-1]

    try:
        yield started
    finally:
        for demo in demos:
            demo.process.kill()
            demo.process.communicate()


def asked(address: str, path: str, key: str = "") -> dict[str, Any]:
    """Returns what a route of the server answers."""
    request = urllib.request.Request(address + path, headers={"Authorization": f"Bearer {key}"} if key else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def test_it_ends_by_itself_and_everything_is_in_the_store(tmp_path: Path, start: Callable[..., Demo]) -> None:
    demo = start("--seconds", "8", "--users", "4", "--calm")
    address, data = demo.told()
    assert data.stat().st_mode & 0o777 == 0o700 and data.parent == tmp_path
    key = (data / "service.key").read_text().strip()
    poll(lambda: asked(address, "/v1/status", key)["counts"]["live_sessions"] >= 4, 8, "sessions of all users")
    clients = {each["client"] for session in asked(address, "/v1/sessions", key)["data"]
               for each in session["connections"]}
    assert clients and clients <= {"phone", "web", "tablet", "laptop"}
    numbers = summary(demo.ended())
    assert numbers["acknowledged"] > 0 and numbers["outages"] == numbers["spooled"] == 0


def test_an_outage_is_one_and_loses_nothing(start: Callable[..., Demo]) -> None:
    demo = start("--seconds", "20", "--users", "8", "--outage-every", "3")
    address, _ = demo.told()
    poll(lambda: asked(address, "/readyz")["status"] == "degraded", 10, "a store that is down")
    poll(lambda: asked(address, "/readyz")["status"] == "ok", 15, "a store that is back")
    numbers = summary(demo.ended())
    assert numbers["outages"] >= 1 and numbers["spooled"] >= 1


def test_what_is_taken_out_of_the_store_is_missed(tmp_path: Path, start: Callable[..., Demo]) -> None:
    """The control: a count that finds everything whatever happens would be worth nothing."""
    demo = start("--seconds", "12", "--users", "6", "--calm")
    _, data = demo.told()
    with closing(sqlite3.connect(data / "parley.sqlite", timeout=5)) as store:
        first = "pam_messages WHERE client_id = 'demo-1'"
        poll(lambda: store.execute(f"SELECT count(*) FROM {first}").fetchone()[0] > 2, 10, "messages of several users")
        with store:
            store.execute(f"DELETE FROM {first}")
    said, _ = demo.process.communicate(timeout=40)
    found = SUMMARY.search(said)
    assert demo.process.returncode == 1 and found is not None, said
    assert int(found["lost"]) > 2 and found["trees"] != "every tree is sound"
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_in_an_outage_too(start: Callable[..., Demo], number: signal.Signals) -> None:
    demo = start("--users", "6", "--outage-every", "2")
    address, data = demo.told()
    poll(lambda: not (data / "parley.sqlite").exists(), 10, "an outage")
    poll(lambda: asked(address, "/readyz")["status"] == "degraded", 5, "a store that is down")
    time.sleep(2)
    demo.process.send_signal(number)
    assert summary(demo.ended())["outages"] == 1


def test_a_signal_that_comes_at_once_leaves_nothing_behind(tmp_path: Path, start: Callable[..., Demo]) -> None:
    demo = start("--users", "100")
    poll(lambda: any(tmp_path.glob("parley-demo-*")), 10, "a directory")
    demo.process.send_signal(signal.SIGTERM)
    demo.ended()


def test_settings_of_the_surroundings_do_not_count(tmp_path: Path) -> None:
    names = {"PARLEY_STORE": f"sqlite:{tmp_path}/mine.sqlite", "PARLEY_DATA_DIR": f"{tmp_path}/mine",
             "PARLEY_MODEL": "?", "TMPDIR": str(tmp_path)}
    run = subprocess.run([binary(), "demo", "--no-dashboard", "--seconds", "2", "--users", "1"], env=os.environ | names,
                         capture_output=True, text=True, timeout=40, check=False)
    assert run.returncode == 0, run
    summary(run.stdout)
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_it_says_what_needs_none(tmp_path: Path) -> None:
    run = subprocess.run([binary(), "demo"], env=environment() | {"TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 64 and "--no-dashboard" in run.stderr, run
    assert list(tmp_path.iterdir()) == [], "nothing was made"


@pytest.mark.parametrize("flags", [["--users", "0"], ["--users", "101"], ["--seconds", "0"], ["--outage-every", "0.1"],
                                   ["--color", "pink"]])
def test_what_makes_no_sense_is_refused(flags: list[str], tmp_path: Path) -> None:
    run = subprocess.run([binary(), "demo", "--no-dashboard", *flags], env=environment() | {"TMPDIR": str(tmp_path)},
                         capture_output=True, text=True, timeout=20, check=False)
    assert run.returncode == 64 and flags[0] in run.stderr, run
    assert list(tmp_path.iterdir()) == []


# On a terminal


@pytest.mark.parametrize(("rows", "columns"), [(36, 120), (24, 80)])
def test_it_shows_its_users_until_somebody_quits(tmp_path: Path, rows: int, columns: int) -> None:
    with Terminal("demo", "--calm", rows=rows, columns=columns, TMPDIR=str(tmp_path)) as screen:
        screen.shows("PARLEY 0.1.0  127.0.0.1:")
        screen.shows(" attached")
        screen.shows("stop the server")
        screen.press("3")
        screen.shows("[3 Threads]")
        screen.press("/京都")
        screen.shows("京都の紅葉")
        screen.press("\r1")
        time.sleep(3)
        screen.press("q")
        assert screen.ended() == 0 and screen.left_clean()
        assert summary(screen.written.decode())["acknowledged"] > 0
    assert list(tmp_path.iterdir()) == []


def test_an_outage_shows_and_passes(tmp_path: Path) -> None:
    with Terminal("demo", "--outage-every", "6", TMPDIR=str(tmp_path)) as screen:
        screen.shows("DEGRADED", 20)
        screen.gone("DEGRADED", 20)
        screen.press("q")
        assert screen.ended() == 0
        assert summary(screen.written.decode())["spooled"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_screens_and_what_is_under_them(tmp_path: Path, number: signal.Signals) -> None:
    with Terminal("demo", "--users", "3", TMPDIR=str(tmp_path)) as screen:
        screen.shows("PARLEY 0.1.0")
        os.kill(screen.child.pid, number)
        assert screen.ended() == 0 and screen.left_clean()
        summary(screen.written.decode())
    assert list(tmp_path.iterdir()) == []


def test_on_a_terminal_it_ends_by_itself_too(tmp_path: Path) -> None:
    with Terminal("demo", "--users", "2", "--seconds", "3", TMPDIR=str(tmp_path)) as screen:
        screen.shows("PARLEY 0.1.0")
        assert screen.ended() == 0 and screen.left_clean()
        summary(screen.written.decode())
    assert list(tmp_path.iterdir()) == []
