"""Facts about this machine and about running processes, read from the system itself."""

import os
import platform
import sqlite3
import sys
import time
from pathlib import Path

MEGABYTE = 1_000_000


def say(line: str) -> None:
    """Show progress on standard error, so that standard output holds results only."""
    print(line, file=sys.stderr, flush=True)


def facts(directory: Path) -> dict[str, object]:
    """Return what a reader needs to know about the machine and about the disk under `directory`."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _first_value("/proc/cpuinfo", "model name"),
        "memory_mb": round(int(_first_value("/proc/meminfo", "MemTotal").split()[0]) * 1024 / MEGABYTE),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_before": round(os.getloadavg()[0], 2),
        "syncs_per_second": round(syncs_per_second(directory)),
    }


def syncs_per_second(directory: Path, seconds: float = 1.0) -> float:
    """Return how many appends of 4 KiB, each made durable by fdatasync, the disk takes in a second."""
    path = directory / "sync-probe"
    block = bytes(4096)
    count = 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        start = time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            os.write(handle, block)
            os.fdatasync(handle)
            count += 1
    finally:
        os.close(handle)
        path.unlink()
    return count / elapsed


def cpu_seconds(pid: int) -> float:
    """Return the processor time, user and system, that a process has used so far."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """Return the processor time that the whole machine has used so far, all its cores together."""
    times = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    _, _, _, idle, waiting, *_ = times
    return (sum(times) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> tuple[float, float]:
    """Return the peak and the present resident memory of a process, in megabytes of 1,000,000 bytes."""
    status = f"/proc/{pid}/status"
    peak, present = (int(_first_value(status, key).split()[0]) for key in ("VmHWM", "VmRSS"))
    return peak * 1024 / MEGABYTE, present * 1024 / MEGABYTE


def _first_value(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "0 unknown"
