"""Small disks that can be filled, lose their power and come back: ext4 in files, mounted through loop devices."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on nothing reaches the disk, not even the journal.
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2
# What was not synced stays in memory for so long, so that a cut takes all of it and not what happened to be flushed.
_COMMIT_SECONDS = 300
_UNMOUNT_SECONDS = 15.0


def missing() -> str | None:
    """Returns why there can be no such disks here; `None` if there can."""
    if os.geteuid() != 0:
        return "needs root for loop devices and mounts"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    return None


class Disk:
    """One small ext4 file system of its own."""

    def __init__(self, directory: Path, megabytes: int) -> None:
        """Makes and mounts it under `directory`."""
        self._image = directory.with_suffix(".img")
        self.path = directory
        directory.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self._is_mounted = False
        self.mount()

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def mount(self) -> None:
        """Mounts it; after a cut this recovers its journal, as a machine that starts does."""
        _run("mount", "-o", f"loop,commit={_COMMIT_SECONDS}", str(self._image), str(self.path))
        self._is_mounted = True

    def unmount(self) -> None:
        """Unmounts it; whoever had files on it may take a moment to be gone."""
        deadline = time.monotonic() + _UNMOUNT_SECONDS
        while self._is_mounted:
            done = subprocess.run(["umount", str(self.path)], capture_output=True, text=True, check=False)
            self._is_mounted = done.returncode != 0
            assert not self._is_mounted or time.monotonic() < deadline, done.stderr
            time.sleep(0.05)

    def sync(self) -> None:
        """Writes out what is on it by now."""
        _run("sync", "-f", str(self.path))

    def cut(self) -> None:
        """Takes the power away: every write fails from here on, and what was not synced is forgotten."""
        directory = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(directory)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leaves no block free while the body runs."""
        with self._ballast.open("wb", buffering=0) as ballast:
            for size in (1 << 20, 4_096):
                try:
                    while True:
                        ballast.write(bytes(size))
                        # Else space would be promised that nobody has.
                        os.fsync(ballast.fileno())
                except OSError:
                    continue
        try:
            yield
        finally:
            self._ballast.unlink()

    def remove(self) -> None:
        """Unmounts it and removes the image."""
        self.unmount()
        self._image.unlink()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
