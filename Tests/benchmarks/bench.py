#!/usr/bin/env python3
"""Measures Parley against the system it succeeds and against raw SQLite, both sides in one run on one machine."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import machine
import report
import terminal
from former import server_programs
from load import BenchmarkError, Recorder
from promises import SCALES
from suites import SUITES, Plan, run

CHECKOUT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=CHECKOUT / ".build/release/parley", help="the server's program")
    parser.add_argument("--only", type=_suites, default=frozenset(SUITES), metavar="SUITE,…", help=f"of {', '.join(SUITES)}")
    parser.add_argument("--seconds", type=_positive, default=10, help="seconds per point (default 10)")
    parser.add_argument("--scale", choices=sorted(SCALES), default="full", help="small is a smoke run with 20,000 messages")
    parser.add_argument("--port", type=_port, default=17275, help="this port and the next are used (default 17275)")
    parser.add_argument("--dir", type=Path, help="where the data goes, for as long as the run lasts (default: the system's)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to this file too")
    return parser.parse_args()


def main() -> int:
    """Run the benchmark; return 1 if a floor is missed at full scale or anything went wrong, else 0."""
    options = arguments()
    # A request to end is an ordinary exit, so that every server is stopped and every directory removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(INTERRUPTED))
    found = Recorder()
    try:
        _require(options.binary, options.only)
        with tempfile.TemporaryDirectory(prefix="parley-bench-", dir=options.dir) as created:
            directory = Path(created).resolve()
            # PostgreSQL runs as somebody else and has to get through to its own folder.
            directory.chmod(0o711)
            facts = machine.facts(directory)
            print(report.facts_table(facts), end="\n\n", flush=True)
            scale = SCALES[options.scale]
            if options.scale != "full":
                found.remarks.append(f"A smoke run with {scale.messages:,} messages: the promises speak of the full scale.")
            run(Plan(options.only, options.binary.resolve(), options.port, directory, options.seconds, scale), found)
    except BenchmarkError as error:
        machine.say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    _show(found)
    if options.json:
        report.write_json(options.json, facts, found)
    missed = report.missed(found) if options.scale == "full" else []
    return 1 if missed or found.problems else 0


def _show(found: Recorder) -> None:
    print(report.points_table(found), end="\n\n")
    print(report.promises_table(found), end="\n\n")
    for remark in found.remarks:
        print(remark)
    for problem in found.problems:
        print(f"PROBLEM: {problem}")


def _require(binary: Path, suites: frozenset[str]) -> None:
    if suites & {"saves", "pages", "cost"}:
        server_programs()
    if suites - {"live", "turns", "idle", "dashboard"} and not shutil.which("wrk"):
        raise BenchmarkError("wrk is missing: install the package wrk.")
    if "dashboard" in suites:
        terminal.require()
    if not os.access(binary, os.X_OK):
        raise BenchmarkError(f"There is no program at {binary}: run Config/build, or name it with --binary.")


def _suites(text: str) -> frozenset[str]:
    chosen = frozenset(text.split(","))
    if not chosen <= set(SUITES):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(SUITES)}")
    return chosen


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a whole number of at least 1")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 1024 <= int(text) <= 65_534:
        raise argparse.ArgumentTypeError("a port from 1024 to 65534")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
