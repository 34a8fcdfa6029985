"""The Autobahn suite, which speaks every part of RFC 6455 to a server and judges what it does.

It needs Python 2.7, which few machines have; without it this test is skipped and says so. Set `PARLEY_TEST_AUTOBAHN`
to `all` for its long cases about size and speed too.
"""

from __future__ import annotations

import json
import os
import signal
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SUITE = "autobahntestsuite==0.8.2"
# Compression is not offered; 9.* is about speed.
COMPRESSION, SPEED = ["12.*", "13.*"], ["9.*"]
CASES = 247
SECONDS = 600
MESSAGE_BYTES = 33_554_432
_BUILD = Path(__file__).resolve().parents[2] / ".build"


def _python2() -> list[str] | None:
    """Returns how to call Python 2.7 with its user packages, or nothing if there is none."""
    for path in [shutil.which("python2.7"), *sorted(Path.home().glob(".pyenv/versions/2.7.*/bin/python2.7"))]:
        if path is None:
            continue
        run = subprocess.run([str(path), "-m", "pip", "--version"], capture_output=True, check=False)
        if run.returncode == 0:
            return [str(path)]
    return None


@pytest.fixture(scope="module")
def wstest() -> list[str]:
    """Returns the command of the suite, installed once under `.build`."""
    python = _python2()
    if python is None:
        pytest.skip("the Autobahn suite needs Python 2.7 with pip, and there is none here")
    base = _BUILD / "autobahn"
    command = [*python, str(base / "bin" / "wstest")]
    environment = os.environ | {"PYTHONUSERBASE": str(base)}
    if not (base / "bin" / "wstest").exists():
        installed = subprocess.run(
            [*python, "-m", "pip", "install", "--quiet", "--user", SUITE], env=environment, capture_output=True,
            text=True, timeout=SECONDS, check=False)
        if installed.returncode != 0:
            pytest.skip(f"the Autobahn suite cannot be installed: {installed.stderr[-300:]}")
    return ["env", f"PYTHONUSERBASE={base}", *command]


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yields the port of a server that answers every message with itself, and that must end with SIGTERM."""
    binary = os.environ.get("PARLEY_ECHO_BINARY", str(_BUILD / "debug" / "WebSocketEcho"))
    if not Path(binary).exists():
        pytest.fail(f"no echo at {binary}: run `swift build --build-tests`")
    process = subprocess.Popen(
        [binary, str(tmp_path_factory.mktemp("echo")), str(MESSAGE_BYTES)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_the_suite_finds_no_fault(wstest: list[str], echo: int, tmp_path: Path) -> None:
    """Every case is passed; a server may be called lenient in none and is here called strict in all."""
    is_long = os.environ.get("PARLEY_TEST_AUTOBAHN") == "all"
    specification = {
        "outdir": str(tmp_path / "reports"), "cases": ["*"], "exclude-agent-cases": {},
        "exclude-cases": COMPRESSION + ([] if is_long else SPEED),
        "servers": [{
            "agent": "parley", "url": f"ws://127.0.0.1:{echo}/v1/live", "options": {"version": 18},
            "protocols": ["parley.v1", "bearer.the-service-key"]}],
    }
    (tmp_path / "spec.json").write_text(json.dumps(specification))
    run = subprocess.run(
        [*wstest, "-m", "fuzzingclient", "-s", str(tmp_path / "spec.json")], cwd=tmp_path, capture_output=True,
        text=True, timeout=SECONDS, check=False)
    index = tmp_path / "reports" / "index.json"
    assert index.exists(), run.stdout[-1_000:] + run.stderr[-1_000:]
    results: dict[str, dict[str, str]] = json.loads(index.read_text())["parley"]
    assert len(results) >= CASES
    faults = {
        case: result for case, result in results.items()
        if result["behavior"] not in ("OK", "INFORMATIONAL") or result["behaviorClose"] not in ("OK", "INFORMATIONAL")}
    assert not faults
