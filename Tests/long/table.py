"""What an experiment found, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

EXAMPLES = 3
_COLUMNS = ("fault", "injected", "stored", "spooled", "lost", "doubled", "reordered", "corrupt", "orphaned", "control")


@dataclass
class Findings:
    """Everything that must not happen, by kind; each case is named once, however often it was seen.

    - lost: acknowledged, and not there under its id with its content
    - doubled: there more than once
    - reordered: behind a later message of the same writer
    - corrupt: what `parley check` finds, messages that nobody sent, holes in the order
    - orphaned: what `parley check` finds to hang on nothing
    """

    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    reordered: set[str] = field(default_factory=set)
    corrupt: set[str] = field(default_factory=set)
    orphaned: set[str] = field(default_factory=set)

    @property
    def by_kind(self) -> dict[str, set[str]]:
        """Returns the cases of every kind."""
        return {kind: getattr(self, kind) for kind in ("lost", "doubled", "reordered", "corrupt", "orphaned")}

    def __bool__(self) -> bool:
        return any(self.by_kind.values())

    def add(self, other: Findings) -> None:
        """Takes over what another look found."""
        for kind, cases in other.by_kind.items():
            self.by_kind[kind].update(cases)

    def __str__(self) -> str:
        parts = [f"{len(cases)} {kind}" for kind, cases in self.by_kind.items() if cases]
        return ", ".join(parts) or "nothing"

    def examples(self) -> list[str]:
        """Returns the first cases of each kind, a line each."""
        return [f"{kind}: {case}" for kind, cases in self.by_kind.items() for case in sorted(cases)[:EXAMPLES]]


@dataclass
class Row:
    """One fault: how often it was injected, what was acknowledged meanwhile, and what came of that."""

    fault: str
    injected: int = 0
    stored: int = 0
    spooled: int = 0
    findings: Findings = field(default_factory=Findings)
    control: str = "was not run"
    control_failed: bool = False
    skipped: str | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Tells whether nothing went wrong, and the control did."""
        return self.skipped is not None or not self.findings and self.error is None and self.control_failed

    def cells(self) -> tuple[str, ...]:
        """Returns the row's cells, in the order of the columns."""
        if self.skipped is not None:
            return (self.fault, "SKIPPED", *[""] * 7, self.skipped)
        counts = [str(len(cases)) for cases in self.findings.by_kind.values()]
        control = ("failed as it must: " if self.control_failed else "DID NOT FAIL: ") + self.control
        return (self.fault, str(self.injected), str(self.stored), str(self.spooled), *counts, control)


def rendered(rows: list[Row]) -> str:
    """Returns the table, and under it what needs to be said about single rows."""
    lines = [_COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    text = []
    for line in lines:
        counts = (cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1], strict=True))
        text.append("  ".join([line[0].ljust(widths[0]), *counts, line[-1]]))
    text.insert(1, "  ".join("-" * width for width in widths))
    for row in rows:
        said = [*row.notes, *row.findings.examples(), *([f"ERROR: {row.error}"] if row.error else [])]
        text += [f"{row.fault}: {each}" for each in said]
    return "\n".join(text)
