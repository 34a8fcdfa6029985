"""Injects the faults, one after the other, and prints what came of them. Started by `run`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "clients"))

from harness import binary  # noqa: E402
from stage import Stage, time_limit  # noqa: E402
from table import Row, rendered  # noqa: E402

FAULTS = ["kills", "power", "full_disks", "io_errors", "store_file", "clocks", "stops", "second_server", "spool_damage",
          "outages"]
START_SECONDS, INJECTION_SECONDS = 300.0, 30.0


def main() -> int:
    """Returns 1 if anything went wrong, or if a control went well."""
    parser = argparse.ArgumentParser(
        prog="Tests/long/run", description=__doc__, epilog=f"Faults: {', '.join(FAULTS)}. PARLEY_BINARY: the server.")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="which ones, instead of all")
    parser.add_argument("--count", type=int, help="how often each is injected, instead of its own number")
    parser.add_argument("--keep", action="store_true", help="keep the directory of an experiment that went wrong")
    arguments = parser.parse_args()
    if unknown := set(arguments.faults) - set(FAULTS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    if shutil.which(binary()) is None:
        parser.error(f"no server at {binary()}: build it, or name one in PARLEY_BINARY")

    # Whatever ends the run, its servers are ended and its disks unmounted.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    rows = []
    directory = Path(tempfile.mkdtemp(prefix="parley-faults-"))
    for name in arguments.faults or FAULTS:
        rows.append(experiment(import_module(f"faults.{name}"), directory / name, arguments.count, arguments.keep))
    if not arguments.keep:
        shutil.rmtree(directory, ignore_errors=True)
    print(rendered(rows))
    return 0 if all(row.is_good for row in rows) else 1


def experiment(fault: ModuleType, directory: Path, count: int | None, keep: bool) -> Row:
    """Injects one fault, then runs its control."""
    row = Row(fault.NAME, skipped=fault.missing())
    if row.skipped is not None:
        say(f"{row.fault}: SKIPPED, {row.skipped}")
        return row
    count = count or fault.COUNT
    say(f"{row.fault}: {count} times")
    began = time.monotonic()
    try:
        with Stage(directory / "fault", keep) as stage, time_limit(START_SECONDS + INJECTION_SECONDS * count):
            fault.inject(stage, row, count)
        with Stage(directory / "control", keep) as stage, time_limit(START_SECONDS):
            found = fault.control(stage)
        row.control, row.control_failed = str(found), bool(found)
    except Exception as error:
        traceback.print_exc()
        row.error = f"{type(error).__name__}: {error}"
    say(f"{row.fault}: {row.injected} injected, found {row.findings}; control: {row.control}; "
        f"{time.monotonic() - began:.0f} s")
    return row


def say(line: str) -> None:
    """Shows how far the run is; the table alone goes to standard output."""
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
