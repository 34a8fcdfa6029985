"""The terminal seen from outside: a small program on a pseudoterminal, and pyte as the terminal that it talks to."""

from __future__ import annotations

import json
import os
import pty
import signal
import termios
import time
from pathlib import Path

import pexpect
import pyte
import pytest

from harness import binary

PROBE = Path(binary()).resolve().parent / "TerminalProbe"
ROWS, COLUMNS = 24, 80
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
CLEAR = b"\x1b[2J"
UNICODE = {"LANG": "C.UTF-8"}


def fresh_modes() -> list:
    """Returns the modes of a terminal that nobody has touched."""
    ends = pty.openpty()
    try:
        return termios.tcgetattr(ends[1])
    finally:
        for end in ends:
            os.close(end)


def handle_all_signals() -> None:
    """Python ignores some signals, and its children inherit that."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


class Probe:
    """The probe, started on a pseudoterminal of its own, with everything it wrote and what the screen shows."""

    def __init__(self, *arguments: str, rows: int = ROWS, columns: int = COLUMNS, shell: str | None = None,
                 shown: str = "Probe ", **names: str):
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "SWIFT_BACKTRACE": "enable=no", **UNICODE, **names}
        self.written = b""
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        if shell:
            self.child = pexpect.spawn(shell, ["--norc", "--noprofile", "-i"], env={**environment, "PS1": "SHELL> "},
                                       dimensions=(rows, columns), timeout=10, echo=True)
            self.expect_text("SHELL>")
            self.child.send(f"{PROBE}\r")
        else:
            self.child = pexpect.spawn(str(PROBE), list(arguments), env=environment, dimensions=(rows, columns), timeout=10,
                                       preexec_fn=handle_all_signals)
        self.child.delaybeforesend = None
        self.child.ptyproc.delayafterclose = self.child.delayafterclose = 0.01
        self.before = fresh_modes()
        self.pid = self.child.pid
        self.expect_text(shown)
        self.settle()

    def settle(self, quiet: float = 0.15) -> bytes:
        """Reads until nothing comes for a while; returns what came."""
        came = b""
        while True:
            try:
                came += self._read(quiet)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return came

    def expect_text(self, text: str, seconds: float = 10) -> float:
        """Reads until the screen shows the text; returns how long it took."""
        start = time.monotonic()
        while text not in self.text:
            assert time.monotonic() - start < seconds, f"no {text!r} in:\n{self.text}"
            try:
                self._read(0.5)
            except pexpect.TIMEOUT:
                pass
        return time.monotonic() - start

    def press(self, keys: str | bytes) -> bytes:
        self.child.send(keys)
        return self.settle()

    def end(self) -> bytes:
        """Reads to the end; returns the last bytes."""
        came = b""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                came += self._read(0.5)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
        self.after = termios.tcgetattr(self.child.child_fd)
        self.child.close()
        return came

    def _read(self, seconds: float) -> bytes:
        came = self.child.read_nonblocking(65536, timeout=seconds)
        self.written += came
        self.stream.feed(came)
        return came

    @property
    def lines(self) -> list[str]:
        """What each row shows; pyte's own `display` trips over a wide character that was half overwritten."""
        return ["".join(row[column].data for column in range(self.screen.columns))
                for row in (self.screen.buffer[y] for y in range(self.screen.lines))]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def log(self) -> list[str]:
        """The keys it has seen: what stands between its frame."""
        return [line.strip(" │|") for line in self.lines[1:-1] if line.strip(" │|")]


def assert_clean(probe: Probe, came: bytes) -> None:
    """The terminal is what it was: main screen, cursor shown, no paste or mouse mode, no attributes, same modes."""
    everything = probe.written
    assert everything.count(ENTER) == everything.count(LEAVE) == 1
    tail = came[came.rindex(LEAVE) :]
    assert b"\x1b[?2004l" in came and b"\x1b[?1000l" in came and b"\x1b[?25h" in came
    for mode in (b"\x1b[?2004h", b"\x1b[?1000h", b"\x1b[?25l", b"\x1b[?1h"):
        assert mode not in tail
    assert came.rindex(b"\x1b[?1l") > 0, "the keypad was given back"
    assert probe.after == probe.before


def test_a_canvas_is_on_the_screen_and_gone_afterwards() -> None:
    probe = Probe()
    assert probe.lines[0].startswith("┌─ Probe 80x24 ───")
    assert probe.lines[0].endswith("─ tick 0 ─┐")
    assert probe.lines[-1] == "└" + "─" * 78 + "┘"
    came = probe.press("q") + probe.end()
    assert_clean(probe, came)
    assert b"ended: q" in came[came.rindex(LEAVE) :]
    assert probe.child.exitstatus == 0


@pytest.mark.parametrize("rows, columns, shown", [
    (1, 1, ENTER.decode()), (2, 2, "└┘"), (3, 200, "Probe 200x3"), (100, 5, "└───┘"), (24, 80, "Probe 80x24"),
])
def test_no_size_is_refused(rows: int, columns: int, shown: str) -> None:
    probe = Probe(rows=rows, columns=columns, shown="")
    probe.settle(0.3)
    assert shown in probe.text or shown.encode() in probe.written
    came = probe.press("q") + probe.end()
    assert_clean(probe, came)
    assert probe.child.exitstatus == 0


def test_a_size_beyond_all_memory_is_not_refused() -> None:
    probe = Probe(rows=24, columns=300, shown="")
    probe.child.setwinsize(65535, 65535)
    probe.expect_text("Probe 2000x1000")
    probe.settle(1)
    probe.child.setwinsize(24, 80)
    probe.screen.resize(24, 80)
    probe.expect_text("Probe 80x24")
    came = probe.press("q") + probe.end()
    assert_clean(probe, came)


def test_it_starts_on_a_size_beyond_all_memory() -> None:
    child = pexpect.spawn(str(PROBE), env={"PATH": os.environ["PATH"], "TERM": "xterm-256color", **UNICODE}, timeout=10,
                          dimensions=(65535, 65535))
    child.expect_exact("Probe 2000x1000")
    child.send("q")
    assert b"ended: q" in child.read()
    child.close()
    assert child.exitstatus == 0


def test_keys_arrive_as_what_they_are() -> None:
    probe = Probe()
    for keys, name in [
        ("a", "a"), ("é", "é"), ("漢", "漢"), ("\x1b[A", "Up"), ("\x1bOA", "Up"), ("\x1b[B", "Down"), ("\x1bOB", "Down"),
        ("\x1bOC", "Right"), ("\x1b[D", "Left"), ("\x1bOH", "Home"), ("\x1b[F", "End"), ("\x1b[5~", "PgUp"), ("\r", "Enter"),
        ("\x1bx", "Alt-x"), ("\x7f", "Backspace"), ("\x03", "Ctrl-C"), ("\x0b", "Ctrl-K"), ("\x1c", "Ctrl-\\"),
        ("\x13", "Ctrl-S"), ("\x11", "Ctrl-Q"), ("\x1b[Z", "Shift-Tab"),
        ("\x1b[200~one\rtwo\x1b[31m\x1b[201~", 'Paste 12 "one\\ntwo\\u{1B}[31m"'),
    ]:
        probe.press(keys)
        assert probe.log[-1] == name, keys
    probe.child.send("\x1b")
    assert probe.expect_text("Esc") < 0.06
    probe.press("q")
    probe.end()


def test_the_mouse_is_on_only_when_asked_for() -> None:
    probe = Probe()
    assert b"\x1b[?1000h" not in probe.written
    assert b"\x1b[?1000h\x1b[?1006h" in probe.press("\x16")
    probe.press("\x1b[<0;5;3M")
    assert probe.log[-1] == "Click 2,4"
    probe.press("\x1b[<64;5;3M")
    assert probe.log[-1] == "Wheel 2,4 -1"
    came = probe.press("q") + probe.end()
    assert_clean(probe, came)


def test_a_steady_frame_is_small_and_clears_nothing() -> None:
    probe = Probe()
    sizes = []
    for _ in range(15):
        came = probe.press("\x14")
        assert CLEAR not in came
        sizes.append(len(came))
    assert max(sizes) <= 2048, sizes
    assert "tick 15" in probe.text
    assert probe.press("\x0c").count(CLEAR) == 1, "Ctrl-L clears once"
    assert "tick 15" in probe.text
    probe.press("q")
    probe.end()


def test_a_resize_is_followed_and_a_storm_too() -> None:
    probe = Probe()
    for number in range(60):
        probe.child.setwinsize(10 + number % 17, 30 + number * 7 % 90)
    probe.child.setwinsize(30, 100)
    probe.screen.resize(30, 100)
    start = time.monotonic()
    probe.expect_text("Probe 100x30")
    assert time.monotonic() - start < 0.5
    probe.settle()
    assert probe.lines[0].startswith("┌─ Probe 100x30 ─")
    assert probe.lines[29] == "└" + "─" * 98 + "┘"
    assert probe.press("x") and "resize" in probe.text
    came = probe.press("q") + probe.end()
    assert_clean(probe, came)


@pytest.mark.parametrize("number, reason", [
    (signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted"), (signal.SIGHUP, "hungUp"),
])
def test_signals_to_end_arrive_as_events(number: signal.Signals, reason: str) -> None:
    probe = Probe()
    os.kill(probe.pid, number)
    came = probe.end()
    assert_clean(probe, came)
    assert b"ended: " + reason.encode() in came[came.rindex(LEAVE) :]
    assert probe.child.exitstatus == 0


FATAL = [
    signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGTRAP, signal.SIGBUS, signal.SIGFPE, signal.SIGSYS,
    signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGVTALRM, signal.SIGPROF,
    signal.SIGXCPU, signal.SIGXFSZ, signal.SIGIO, signal.SIGPWR, signal.SIGRTMIN, signal.SIGRTMAX,
]


@pytest.mark.parametrize("number", FATAL)
def test_what_kills_it_leaves_the_terminal_clean(number: int) -> None:
    probe = Probe()
    probe.press("\x16\x15")
    os.kill(probe.pid, number)
    came = probe.end()
    assert_clean(probe, came)
    assert probe.child.signalstatus == number


@pytest.mark.parametrize("key, signals", [
    ("\x18", {signal.SIGTRAP, signal.SIGILL}), ("\x0f", {signal.SIGSEGV, signal.SIGBUS}),
])
def test_a_crash_leaves_the_terminal_clean(key: str, signals: set[int]) -> None:
    probe = Probe()
    probe.child.send(key)
    came = probe.end()
    assert_clean(probe, came)
    assert probe.child.signalstatus in signals


def test_exit_without_a_close_leaves_the_terminal_clean() -> None:
    probe = Probe()
    probe.child.send("\x05")
    came = probe.end()
    assert_clean(probe, came)
    assert probe.child.exitstatus == 3


def test_one_that_does_not_listen_ends_when_asked_again_after_two_seconds() -> None:
    probe = Probe()
    probe.child.send("\x17")
    time.sleep(0.3)
    os.kill(probe.pid, signal.SIGTERM)
    time.sleep(0.5)
    os.kill(probe.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert probe.child.isalive(), "the second time could be the same wish"
    time.sleep(1.8)
    os.kill(probe.pid, signal.SIGTERM)
    came = probe.end()
    assert_clean(probe, came)
    assert probe.child.signalstatus == signal.SIGTERM


def foreground(probe: Probe) -> int:
    return os.tcgetpgrp(probe.child.child_fd)


@pytest.mark.parametrize("stop", ["key", "signal"])
def test_a_shell_gets_the_terminal_back_while_it_is_stopped(stop: str) -> None:
    probe = Probe(shell="/bin/bash")
    group = foreground(probe)
    assert group != probe.pid
    if stop == "key":
        probe.child.send("\x1a")
    else:
        os.kill(group, signal.SIGTSTP)
    came = probe.settle(0.5)
    assert LEAVE in came and b"\x1b[?25h" in came and b"Stopped" in came and b"\x1b[?2004l" in came
    probe.child.send("echo from$((1+1))shell\r")
    assert b"from2shell" in probe.settle(0.3)
    probe.child.setwinsize(20, 70)
    probe.screen.resize(20, 70)
    probe.settle(0.3)
    probe.child.send("fg\r")
    probe.expect_text("Probe 70x20")
    probe.settle(0.3)
    assert probe.lines[19] == "└" + "─" * 68 + "┘"
    probe.press("x")
    assert probe.log[-1] == "x", "keys arrive one by one again"
    probe.child.send("q")
    assert b"ended: q" in probe.settle(0.5)
    probe.child.send("exit\r")
    probe.end()


def test_one_that_was_stopped_hard_takes_the_terminal_again() -> None:
    probe = Probe(shell="/bin/bash")
    group = foreground(probe)
    os.kill(group, signal.SIGSTOP)
    probe.settle(0.5)
    probe.child.send("echo garbage; stty sane\r")
    probe.settle(0.3)
    probe.child.send("fg\r")
    probe.settle(0.5)
    probe.press("x")
    assert probe.lines[0].startswith("┌─ Probe 80x24 ─")
    assert "garbage" not in probe.text and probe.log[-1] == "x"
    probe.child.send("q")
    probe.settle(0.3)
    probe.child.send("exit\r")
    probe.end()


def colours(written: bytes) -> bool:
    return any(b"\x1b[3%dm" % number in written for number in range(1, 7))


@pytest.mark.parametrize("arguments, names, expected", [
    ((), {}, True), ((), {"NO_COLOR": "1"}, False), ((), {"NO_COLOR": ""}, True), (("16",), {"NO_COLOR": "1"}, True),
    (("never",), {}, False), ((), {"TERM": "vt100"}, False), (("256",), {"TERM": "vt100"}, True),
])
def test_colours_are_the_flags_then_no_colour_then_the_types(arguments: tuple, names: dict, expected: bool) -> None:
    probe = Probe(*arguments, **names)
    assert colours(probe.written) is expected
    probe.press("q")
    probe.end()


@pytest.mark.parametrize("names", [{"LANG": "C"}, {"LANG": "de_XX.nowhere"}, {"LC_ALL": "C", "LANG": "C.UTF-8"}])
def test_another_character_set_gets_ascii(names: dict) -> None:
    probe = Probe(**names)
    assert probe.lines[0].startswith("+- Probe 80x24 ---")
    probe.press("é漢")
    assert all(byte < 0x80 for byte in probe.written)
    probe.press("q")
    probe.end()


@pytest.mark.parametrize("type", ["vt100", "vt220", "linux", "screen", "tmux-256color", "xterm", "rxvt", "ansi", "xterm-mono"])
def test_other_terminal_types_show_the_same(type: str) -> None:
    probe = Probe(TERM=type)
    assert probe.lines[0].startswith("┌─ Probe 80x24 ─")
    assert probe.lines[22].startswith("│")
    probe.press("\x1bOA")
    assert probe.log == ["Up"]
    probe.press("q")
    probe.end()
    assert probe.after == probe.before and probe.child.exitstatus == 0


@pytest.mark.parametrize("type, word", [("dumb", "dumb"), ("no-such-type", "no-such-type"), ("", "TERM")])
def test_a_terminal_without_a_screen_is_refused(type: str, word: str) -> None:
    child = pexpect.spawn(str(PROBE), env={"PATH": os.environ["PATH"], "TERM": type, **UNICODE}, timeout=10)
    said = child.read()
    child.close()
    assert child.exitstatus == 64
    assert word.encode() in said and b"--once" in said and b"\x1b" not in said


def test_a_pipe_is_refused() -> None:
    child = pexpect.spawn("/bin/sh", ["-c", f"{PROBE} < /dev/null; echo $?; {PROBE} | cat; true"], timeout=10,
                          env={"PATH": os.environ["PATH"], "TERM": "xterm"})
    said = child.read()
    assert said.count(b"--once") == 2 and b"64" in said and b"\x1b" not in said


@pytest.mark.parametrize("tmux", [False, True])
def test_text_is_copied_through_the_terminal(tmux: bool) -> None:
    probe = Probe(**({"TMUX": "/tmp/x,1,0"} if tmux else {}))
    came = probe.press("\x19")
    plain = b"\x1b]52;c;Y2xpcCDigqw=\x07"
    assert plain + (b"\x1bPtmux;\x1b" + plain + b"\x1b\\" if tmux else b"") in came
    assert came.count(b"]52;") == 1 + tmux, "what is too long is not sent"
    assert b"copied true false" in came
    probe.press("q")
    probe.end()


def test_a_cursor_is_shown_where_it_belongs() -> None:
    probe = Probe()
    came = probe.press("\x15")
    assert came.endswith(b"\x1b[3;5H\x1b[?12l\x1b[?25h") or came.endswith(b"\x1b[3;5H\x1b[?25h")
    assert (probe.screen.cursor.y, probe.screen.cursor.x) == (2, 4)
    assert b"\x1b[?25l" in probe.press("\x15")
    probe.press("q")
    probe.end()


def test_a_cluster_is_drawn_so_that_its_width_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "texts.json"
    file.write_text(json.dumps(["plain text before"] + [""] * 9 + ["x" * 22 + "👩‍👩‍👧‍👦"]))
    probe = Probe("auto", str(file))
    came = probe.press("\x0e")
    # The place is blanked for terminals that take it for narrow; for those that draw each of its parts, what stands
    # behind it is drawn again although it did not change.
    assert b"xx  \x1b[2;25H" + "👩‍👩‍👧‍👦".encode() in came
    behind = came[came.index("👦".encode()) :]
    assert b"\x1b[2;27H" in behind and b"]" in behind[: behind.index(b"\x1b[2;27H") + 20]
    probe.press("q")
    probe.end()


def hostile_texts() -> list[str]:
    """Texts that try to leave their place; those that the Swift tests draw are judged here by another terminal."""
    parts = [
        "\r", "\b\b\b", "\n", "\x1b[2J", "\x1b[1;1H", "\x1b]0;t\x07", "\x9b2J", "\u202e", "\u200b", "\u200d", "\ufeff", "\u0301" * 50,
        "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇳🇴", "❤️", "👍🏽", "漢字", "क्षत्रिय", "ที่นี่", "\u1100" * 5, "\ue000", "\u0378", "\U000e0041", "\u3164", "\u2028",
        "e\u0301", "1️⃣", "ﷺ", "\t", "\x00", "\x7f", "שלום", "مرحبا", "⚡", "𒐫", "\x1b[?1049l", "\x0e", "\x85",
    ]
    texts = parts + [f"ab{part}cd" for part in parts] + [part * 30 for part in parts]
    return texts


def test_hostile_text_stays_between_its_fences(tmp_path: Path) -> None:
    texts = hostile_texts()
    assert len(texts) > 60
    file = tmp_path / "texts.json"
    file.write_text(json.dumps(texts))
    probe = Probe("auto", str(file))
    for start in range(0, len(texts), 10):
        for index in range(min(10, len(texts) - start)):
            row = probe.screen.buffer[1 + index]
            message = f"{texts[start + index]!r}: {probe.lines[1 + index]!r}"
            assert row[1].data == "[", message
            assert row[26].data == "]", message
            assert all(row[column].data == " " for column in range(27, 79)), message
            assert row[79].data == "│", message
        assert probe.lines[0].startswith("┌─ Probe 80x24 ─")
        probe.press("\x0e")
        assert "Ctrl-N" in probe.text
    probe.press("q")
    probe.end()
