#!/usr/bin/env python3
"""Draws the pictures of the README: the real screens over real servers, each cell as SVG."""

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import live
import terminal
from parley import Client, Parley, parley
from terminal import Terminal

CHECKOUT = Path(__file__).resolve().parents[2]
ROWS, COLUMNS = 36, 120
WIDTH, HEIGHT, SIZE = 8.4, 18, 14
MARGIN = 12
DIM, DIM_MARK = b"\x1b[2m", b"\x1b[3m"
"""The screen that we read knows no dim; nothing here is italic, so that stands for it."""


@dataclass(frozen=True)
class Scheme:
    """The colours of a terminal: its background, its text, and the six of the palette that are used."""

    ground: str
    text: str
    dim: str
    palette: dict[str, str]


DARK = Scheme("#1b1f27", "#d6dae2", "#868d9b", {
    "red": "#f07178", "green": "#8cc47a", "brown": "#e0b15e", "blue": "#6ea8fe", "magenta": "#c792ea", "cyan": "#5cc5d6"})
LIGHT = Scheme("#ffffff", "#24292f", "#7a828c", {
    "red": "#c62828", "green": "#2e7d32", "brown": "#9a6700", "blue": "#1f5fbf", "magenta": "#8e24aa", "cyan": "#00798c"})

LINES = {"─": "lr", "│": "tb", "┌": "rb", "┐": "lb", "└": "rt", "┘": "lt", "├": "tbr"}
LEVELS = "▁▂▃▄▅▆▇█"


def svg(screen: Any, scheme: Scheme, title: str) -> str:
    """Return the screen as a picture."""
    width, height = round(screen.columns * WIDTH + 2 * MARGIN), screen.lines * HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{scheme.ground}" stroke="{scheme.dim}"/>',
        f'<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,\'DejaVu Sans Mono\',monospace" font-size="{SIZE}" '
        'xml:space="preserve">',
    ]
    for row in range(screen.lines):
        cells = [(column, screen.buffer[row][column]) for column in range(screen.columns)]
        for style, run in groupby(cells, key=lambda cell: (cell[1].fg, cell[1].bold, cell[1].italics, cell[1].underscore, cell[1].reverse)):
            parts += _run(row, [(column, cell.data) for column, cell in run], style, scheme)
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def _run(row: int, cells: list[tuple[int, str]], style: tuple, scheme: Scheme) -> Iterator[str]:
    color, bold, dim, underlined, reverse = style
    ink = scheme.palette.get(color, "#" + color if len(color) == 6 and color != "default" else scheme.text)
    if dim or color == "808080":
        ink = scheme.dim
    left, top = MARGIN + cells[0][0] * WIDTH, MARGIN + row * HEIGHT
    if reverse:
        yield f'<rect x="{left:.1f}" y="{top}" width="{len(cells) * WIDTH:.1f}" height="{HEIGHT}" fill="{ink}"/>'
        ink = scheme.ground
    for column, sign in cells:
        if shape := _shape(sign, MARGIN + column * WIDTH, top, ink):
            yield shape
    # Words have a place of their own each: then no font can shift what stands behind them.
    for is_word, some in groupby(cells, key=lambda cell: cell[1] not in ("", " ") and not _shape(cell[1], 0, 0, "")):
        word = list(some)
        if is_word:
            text = "".join(sign for _, sign in word)
            weight = ' font-weight="bold"' if bold else ""
            line = ' text-decoration="underline"' if underlined else ""
            length = f' textLength="{len(word) * WIDTH:.1f}"' if text.isascii() and len(text) > 1 else ""
            yield (f'<text x="{MARGIN + word[0][0] * WIDTH:.1f}" y="{top + 13.5}" fill="{ink}"{weight}{line}{length}>'
                   f"{escape(text)}</text>")


def _shape(sign: str, left: float, top: float, ink: str) -> str:
    """Return a sign that is drawn, because its neighbours have to be met; nothing for a letter."""
    x, y = left + WIDTH / 2, top + HEIGHT / 2
    if sides := LINES.get(sign):
        ends = {"l": (left, y), "r": (left + WIDTH, y), "t": (x, top), "b": (x, top + HEIGHT)}
        path = "".join(f"M{x:.1f} {y:.1f}L{ends[side][0]:.1f} {ends[side][1]:.1f}" for side in sides)
        return f'<path d="{path}" stroke="{ink}" stroke-width="1.2" fill="none"/>'
    if sign and sign in LEVELS:
        height = HEIGHT * (LEVELS.index(sign) + 1) / 8
        return f'<rect x="{left:.1f}" y="{top + HEIGHT - height:.2f}" width="{WIDTH + 0.1:.1f}" height="{height:.2f}" fill="{ink}"/>'
    if sign == "░":
        return f'<rect x="{left:.1f}" y="{top}" width="{WIDTH + 0.1:.1f}" height="{HEIGHT}" fill="{ink}" opacity="0.3"/>'
    return ""


# What is to be seen


TALKS = [
    ("7f3a91c2", "phone", "Refund policy for EU orders", 2, 14),
    ("1b20cc01", "default", "Fix flaky CI on arm64 #3", 1, 22),
    ("90ee1203", "web-2", "Draft Q3 board update", 3, 31),
    ("3c7710aa", "plan", "Warehouse move", 1, 37),
    ("5501aa77", "sql", "SQL for churn cohort", 1, 12),
    ("20c3b9f1", None, "週末の旅行プラン", 1, 6),
    ("c41d0e55", "tablet", "Rewrite the onboarding mail", 1, 18),
    ("e8b1f203", "web-1", "خطة السفر", 1, 9),
    ("6602d4ac", "desk", "Why is the p99 higher on Mondays?", 2, 27),
    ("44ab7e10", "phone", "Lease terms, second reading", 1, 16),
    ("d93c5b6e", "cli", "Postmortem of the 14th", 1, 40),
    ("0f7b2a81", "phone", "Birthday speech", 1, 8),
]
CLIENTS = ["phone", "tablet", "laptop"]
QUESTIONS = [
    "What would the move cost if we keep the old racking?", "How wide is the aisle then?",
    "Can the night shift do it without stopping dispatch?", "Give me the plan for week two.",
]
ANSWERS = [
    "Keeping it saves about 40k but caps the aisle width at 2.1 m, so the reach trucks would have to stay.",
    "2.1 m. A counterbalance truck needs 3.4 m, a reach truck 2.6 m with the short mast.",
    "Yes, if rows 1 to 4 move first: they hold what leaves twice a week.\nOrder of work:\n1. empty row 4 into the buffer\n"
    "2. move its racking\n3. refill, then row 3",
    "Monday and Tuesday: rows 5 and 6. Wednesday: the inspection of the new floor. Thursday: the conveyor.",
]


def user(start: str) -> str:
    """Return a user's id that begins so."""
    return f"{start}-0000-4000-8000-000000000001"


def fill(server: Parley, client: Client) -> dict[str, str]:
    """Make the conversations; return their ids by title."""
    ids = {}
    for start, session, title, _, count in TALKS:
        token = server.token(user(start))
        made = client.post("/v1/conversations", {"session_id": session, "title": title}, token)["conversation"]["id"]
        ids[title] = made
        for number in range(count):
            text = (QUESTIONS if number % 2 == 0 else ANSWERS)[number // 2 % 4]
            _say(client, made, token, "user" if number % 2 == 0 else "assistant", text)
    return ids


def _say(client: Client, conversation: str, token: str, role: str, text: str) -> dict[str, Any]:
    return client.post(f"/v1/conversations/{conversation}/messages", {"role": role, "content": text}, token)["message"]


def branch(client: Client, conversation: str, token: str) -> None:
    """Give a conversation branches: an edit, one of its own, a regenerated one."""
    page = client.get(f"/v1/conversations/{conversation}/messages?limit=40", token)["data"]
    path = f"/v1/conversations/{conversation}/branches"
    cheaper = client.post(path, {
        "edit_message": page[30]["id"], "content": "Go with the cheaper one. Show monthly cost.", "title": "cheaper",
        "activate": True}, token)["branch"]["number"]
    for role, text in (
        ("assistant", "8,200 a month over two years, racking and inspection included:\nracking 4,900\nfloor 2,100\ntraining 1,200"),
        ("user", "And with robots?"), ("assistant", "11,700 a month; they pay for themselves in the fourth year."),
        ("user", "No robots then."), ("assistant", "Then the plan stays as it is. I have moved the training to week three.")):
        said = _say(client, conversation, token, role, text)
        if text.startswith("And"):
            robots = said
    client.post(path, {"from_message": robots["id"], "title": "robots", "activate": False}, token)
    client.post(path, {"edit_message": page[24]["id"], "content": "Can we do it in spring?", "activate": False}, token)
    assert cheaper > 0


def attend(server: Parley, ids: dict[str, str], sockets: ExitStack) -> None:
    """Attach the clients of all conversations."""
    for start, _, title, count, _ in TALKS:
        for name in CLIENTS[:count]:
            made = sockets.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            hello = live.upgrade(server.token(user(start))).replace(b"\r\n\r\n", f"\r\nUser-Agent: {name}\r\n\r\n".encode())
            made.sendall(hello + live.framed({"type": "attach", "conversation_id": ids[title]}))
            received = b""
            while b'"attached"' not in received:
                received += made.recv(65_536)


def draw(binary: Path, server: Parley, ids: dict[str, str], folder: Path) -> None:
    """Walk through the views and draw three of them."""
    command = [str(binary), "dashboard", "--data", str(server.data), "--server", f"http://127.0.0.1:{server.port}"]
    with _terminal(command) as shown:
        shown.until(lambda: shown.shows(f"{len(TALKS)} live"), "The live sessions")
        shown.settle_for(2.5)
        picture(shown, DARK, "The sessions: who is connected, what waits, and how the store does", folder / "sessions.svg")
        shown.send("2")
        shown.settle_for(1.5)
        picture(shown, LIGHT, "The health of the store, beside the former system's targets", folder / "health.svg")
        shown.send("3/Warehouse")
        shown.settle_for(0.7)
        shown.send("\r")
        shown.settle_for(0.3)
        shown.send("\r")
        shown.until(lambda: shown.shows("following"), "The thread")
        shown.settle_for(0.5)
        for _ in range(5):
            shown.send("k")
            shown.settle_for(0.2)
        picture(shown, DARK, "A thread: its branches, and the path with what the store promises of every message",
                folder / "thread.svg")


def show_demo(binary: Path, folder: Path) -> None:
    """Draw what the demo shows, and a user's screen beside it."""
    with _terminal([str(binary), "demo", "--calm"]) as shown:
        shown.until(lambda: shown.shows(" live"), "The demo's sessions")
        shown.settle_for(25)
        picture(shown, DARK, "A dozen users at work: who is there, what streams, and how the store does", folder / "demo.svg")
    with subprocess.Popen([binary, "demo", "--calm", "--no-dashboard"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as demo:
        assert demo.stdout
        command = next(line.split() for line in demo.stdout if line.strip().startswith("parley chat"))
        time.sleep(15)
        with _terminal([str(binary), *command[1:]], rows=30) as shown:
            shown.until(lambda: shown.shows("following"), "The latest thread")
            shown.send("And could we do all of that with a seven-year-old?")
            shown.settle_for(3)
            picture(shown, DARK, "A user's screen: threads, the path of one, and a message that is being written",
                    folder / "chat.svg")
        demo.send_signal(signal.SIGINT)


def _terminal(command: list[str], rows: int = ROWS) -> Terminal:
    shown = Terminal(command, rows, COLUMNS)
    feed = shown.feed
    shown.feed = lambda chunks: feed([(when, piece.replace(DIM, DIM_MARK)) for when, piece in chunks])
    return shown


def picture(shown: Terminal, scheme: Scheme, title: str, path: Path) -> None:
    """Write one picture."""
    path.write_text(svg(shown.screen, scheme, title), encoding="utf-8")
    print(path)


def main() -> int:
    """Draw the pictures anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=CHECKOUT / ".build/release/parley", help="the program")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / "Config/pictures", help="where the pictures go")
    parser.add_argument("--port", type=int, default=17277)
    options = parser.parse_args()
    terminal.require()
    options.folder.mkdir(exist_ok=True)
    show_demo(options.binary.resolve(), options.folder)
    with tempfile.TemporaryDirectory(prefix="parley-pictures-") as made, \
            parley(options.binary.resolve(), options.port, Path(made), "pictures") as server, ExitStack() as sockets:
        client = server.client()
        ids = fill(server, client)
        branch(client, ids["Warehouse move"], server.token(user("3c7710aa")))
        attend(server, ids, sockets)
        # Some of them are at work, for long enough to see it.
        for number in range(150):
            start, _, title, _, _ = TALKS[number % 7]
            if title != "Warehouse move":
                text = (QUESTIONS if number % 2 == 0 else ANSWERS)[number // 7 % 4]
                _say(client, ids[title], server.token(user(start)), ("user", "assistant")[number % 2], text)
            time.sleep(0.08 + 0.06 * (number % 5))
        draw(options.binary.resolve(), server, ids, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
