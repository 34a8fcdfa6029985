"""Shows what a run has found: the machine, the points, and the promises with their verdicts."""

import json
from pathlib import Path

from load import Recorder
from promises import PROMISES


def facts_table(facts: dict[str, object]) -> str:
    """Return one line per fact."""
    return "\n".join(f"{name:<18} {value}" for name, value in facts.items())


def points_table(found: Recorder) -> str:
    """Return one line per measured point; times are in milliseconds, processor time in microseconds per request."""
    lines = [f"{'point':<48} {'c':>3} {'per s':>10} {'mean':>8} {'p50':>8} {'p99':>8} {'cpu us':>7}"]
    for point in found.points:
        cpu = "" if point.cpu_us is None else f"{point.cpu_us:.0f}"
        times = " ".join(f"{value / 1000:>8.2f}" for value in (point.mean_us, point.p50_us, point.p99_us))
        lines.append(f"{point.name:<48} {point.connections:>3} {point.per_second:>10,.0f} {times} {cpu:>7}")
    return "\n".join(lines)


def promises_table(found: Recorder) -> str:
    """Return one line per promise that this run measured."""
    lines = [f"{'promise':<70} {'measured':>9} {'floor':>8} {'goal':>8}  verdict"]
    for promise in PROMISES:
        if promise.key in found.values:
            value = found.values[promise.key]
            sign = "≤" if promise.at_most else "≥"
            floor, goal = (f"{sign} {bound:.4g}" for bound in (promise.floor, promise.goal))
            lines.append(f"{promise.text:<70} {value:>9.3f} {floor:>8} {goal:>8}  {promise.verdict(value)}")
    return "\n".join(lines)


def missed(found: Recorder) -> list[str]:
    """Return the texts of the promises whose floor this run does not hold."""
    return [promise.text for promise in PROMISES if _verdict(promise.key, found) == "miss"]


def write_json(path: Path, facts: dict[str, object], found: Recorder) -> None:
    """Write everything the tables show."""
    promises = [
        {
            "key": promise.key,
            "text": promise.text,
            "value": found.values[promise.key],
            "floor": promise.floor,
            "goal": promise.goal,
            "at_most": promise.at_most,
            "verdict": _verdict(promise.key, found),
        }
        for promise in PROMISES
        if promise.key in found.values
    ]
    content = {
        "machine": facts,
        "points": [point.as_json() for point in found.points],
        "promises": promises,
        "remarks": found.remarks,
        "problems": found.problems,
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _verdict(key: str, found: Recorder) -> str | None:
    promise = next(promise for promise in PROMISES if promise.key == key)
    return promise.verdict(found.values[key]) if key in found.values else None
