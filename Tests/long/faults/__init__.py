"""The faults: each module injects one kind, and has a control in which the promise is broken and must be missed.

A module has `NAME`, `COUNT` (how often it injects, unless told otherwise), `missing()` (why it cannot run here, or
`None`), `inject(stage, row, count)` and `control(stage)`, which returns what the checker found.
"""
