"""The results as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from normlab.selftest.tables import markdown_table
from proof.bench.kernels.grid import geometric_mean, share
from proof.bench.scaling import exponent
from proof.bench.spread import Spread, ratios, spread
from proof.bench.standings import floor_of, standings
from proof.bench.targets import Judged, judge
from proof.bench.workloads import workload

__all__ = ["kernel_cases", "markdown", "tables"]


def tables(content: dict[str, Any], *, all_targets: bool = True) -> Iterator[Table]:
    """A table for each section of a results file, and the targets at the end: all, or those that were measured."""
    sections = content["sections"]
    for name in sorted(sections):
        result = sections[name]["result"]
        table = _race(result) if "/" in name else _DRAWN[name](result)
        table.caption = _caption(sections[name])
        yield table
    judged = [each for each in judge(sections) if all_targets or each.met is not None]
    if judged:
        yield _targets(judged)


def markdown(table: Table) -> str:
    """The same table for a document."""
    names = [str(column.header) for column in table.columns]
    right = [number for number, column in enumerate(table.columns) if column.justify == "right"]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = markdown_table(names, rows, right)
    command, _, made_by = str(table.caption or "").partition("\n")
    caption = f"\n`{command}`; {made_by}\n" if command else ""
    return f"**{table.title}**\n\n{body}{caption}"


def _race(race: dict[str, Any]) -> Table:
    rows = standings(race)
    rounds = f"{race['rounds']} round{'s' if race['rounds'] > 1 else ''}"
    title = f"{workload(race['workload']).title} on {race['data']}: {race['nets']} nets, {rounds}"
    table = _table(title, "", ("threads", "s a net", "least to most", "the study, s", "× ours", "least to most",
                               "compile, s", "MiB"), "")  # fmt: skip
    for row in rows:
        memory = race["peers"][row.name].get("peak_bytes")
        notes = []
        if row.trained < row.nets:
            notes.append(f"estimated from {row.trained} nets a round")
        if row.differs is not None:
            notes.append(f"counts for nothing: {row.differs}")
        table.add_row(
            row.title, str(row.threads * row.processes), f"{row.a_net.median:.4f}", _range(row.a_net, 4),
            f"{row.study:.2f}", f"{row.ratio.median:.2f}", _range(row.ratio, 2),
            f"{row.compiling:.1f}" if row.compiling else "", f"{memory / 2**20:.0f}" if memory else "",
            "; ".join(notes),
        )  # fmt: skip
    for name, why in race["missing"].items():
        table.add_row(name, *[""] * 8, f"not measured: {why}")
    floor = floor_of(race)
    table.add_section()
    table.add_row(
        "the floor, evaluation included", "", f"{floor.seconds / race['nets']:.4f}", "", f"{floor.seconds:.2f}", "", "",
        "", "", f"sgemm {_range(floor.sgemm, 0, 1e9)} GF/s; share of it reached: {floor.share.median:.2f} "
        f"({_range(floor.share, 2)}); training alone {floor.without_evaluation:.2f} s",
    )  # fmt: skip
    return table


def _kernels(found: dict[str, Any]) -> Table:
    """A row a kernel and type: over all sizes against PyTorch, and at the largest against the copy."""
    title = f"fused norm kernels over {len({(c['n'], c['d']) for c in found['cases']})} sizes, {found['rounds']} rounds"
    many = f"{found['cores']} threads"
    table = _table(
        title, "", ("× PyTorch, 1 thread", many, "least", "most", "GB/s, largest", "of copy"), ""
    )
    for norm, which, dtype in dict.fromkeys(
        (c["norm"], c["which"], c["dtype"]) for c in found["cases"]
    ):
        cases = [
            c for c in found["cases"] if (c["norm"], c["which"], c["dtype"]) == (norm, which, dtype)
        ]
        largest = max(
            (c for c in cases if c["threads"] == found["cores"]), key=lambda c: c["bytes"]
        )
        cells = [""] * 4
        if not found["missing"]:
            by_case = [(ratios(c["torch"], c["ours"]).median, c) for c in cases]
            means = [
                f"{geometric_mean([ratio for ratio, c in by_case if c['threads'] == threads]):.2f}"
                for threads in (1, found["cores"])
            ]
            ends = [f(by_case, key=lambda pair: pair[0]) for f in (min, max)]
            cells = means + [f"{ratio:.2f} at ({c['n']}, {c['d']})" for ratio, c in ends]
        bandwidth = largest["bytes"] / spread(largest["reused"]).median / 1e9
        table.add_row(
            f"{norm} {which}, {dtype}",
            *cells,
            f"{bandwidth:.1f}",
            f"{share(largest, found['copy']):.2f}",
            "",
        )
    for norm in dict.fromkeys(row["norm"] for row in found["accuracy"]):
        rows = [row for row in found["accuracy"] if row["norm"] == norm]
        said = []
        for who, name in (("ours", "ours"), ("torch", "PyTorch")):
            if who in rows[0]:
                y, dx = (max(row[who][part] for row in rows) for part in (0, 1))
                said.append(f"{name} {y:.1e} of y, {dx:.1e} of dx")
        table.add_row(
            f"{norm}, worst error at mean/std {found['mean_over_std']:.0e}",
            *[""] * 6,
            "; ".join(said),
        )
    for name, why in found["missing"].items():
        table.add_row(name, *[""] * 6, f"not measured: {why}")
    return table


def kernel_cases(found: dict[str, Any]) -> Table:
    """A row a case: every kernel, size, type and number of threads."""
    columns = (
        "size",
        "threads",
        "ours, µs",
        "PyTorch, µs",
        "× ours",
        "least to most",
        "GB/s",
        "of copy",
    )
    table = _table(f"fused norm kernels, every case, {found['rounds']} rounds", "", columns, "")
    for case in found["cases"]:
        theirs = case["torch"]
        ratio = ratios(theirs, case["ours"]) if theirs else None
        shared = f"{share(case, found['copy']):.2f}" if case["threads"] == found["cores"] else ""
        table.add_row(
            f"{case['norm']} {case['which']}, {case['dtype']}", f"({case['n']}, {case['d']})", str(case["threads"]),
            f"{spread(case['ours']).median * 1e6:.1f}", f"{spread(theirs).median * 1e6:.1f}" if theirs else "",
            f"{ratio.median:.2f}" if ratio else "", _range(ratio, 2) if ratio else "",
            f"{case['bytes'] / spread(case['reused']).median / 1e9:.1f}", shared, "",
        )  # fmt: skip
    return table


def _machine(found: dict[str, Any]) -> Table:
    table = _table("the machine", "", ("median", "least to most"), "")
    for name, title in (
        ("sgemm", "sgemm 2048³ on all cores, GF/s"),
        ("sgemm_one", "on one core, GF/s"),
    ):
        rates = spread(found[name])
        table.add_row(title, f"{rates.median / 1e9:.0f}", _range(rates, 0, 1e9), "")
    for name, arrays in (("copy", 2), ("triad", 3)):
        for position, size in enumerate(found["sizes"]):
            values = [row[position] for row in found[name]]
            if None not in values:
                rates = spread(values)
                title = f"{name}, {arrays} arrays of {size / 2**20:g} MiB, GB/s"
                table.add_row(title, f"{rates.median / 1e9:.1f}", _range(rates, 1, 1e9), "")
    return table


def _memory(found: dict[str, Any]) -> Table:
    table = _table("memory of a sweep", "", ("KiB a further run", "least to most"), "")
    for workers, values in found["bytes_a_run"].items():
        grown = spread(values)
        table.add_row(
            f"{workers} workers", f"{grown.median / 1024:.2f}", _range(grown, 2, 1024), ""
        )
    table.add_row(
        "its spec and its History, which the caller keeps",
        f"{found['kept_bytes'] / 1024:.2f}",
        "",
        "",
    )
    return table


def _cold(found: dict[str, Any]) -> Table:
    table = _table(found["command"], "", ("median, s", "least to most"), "")
    for name, title in (
        ("cold", "with an empty compile cache"),
        ("warm", "again"),
        ("extra", "cold over warm"),
        ("compiling", "a process's first run over its next, nothing compiled"),
        ("loading", "the same, compiled before"),
    ):
        seconds = spread(found[name])
        table.add_row(title, f"{seconds.median:.2f}", _range(seconds, 2), "")
    return table


def _scaling(found: dict[str, Any]) -> Table:
    usual = ", ".join(f"{name} {value}" for name, value in found["usual"].items())
    title = f"growth on {found['data']}, {found['epochs']} epochs; otherwise {usual}"
    table = _table(title, "", ("seconds", "least to most", "a net, s", "of the floor"), "")
    for axis in dict.fromkeys(point["axis"] for point in found["points"]):
        points = [point for point in found["points"] if point["axis"] == axis]
        power = exponent(
            [p["value"] for p in points], [spread(p["seconds"]).median for p in points]
        )
        for point in points:
            seconds = spread(point["seconds"])
            nets = point["value"] if axis == "nets" else found["usual"]["nets"]
            table.add_row(
                f"{axis} {point['value']}", f"{seconds.median:.3f}", _range(seconds, 3),
                f"{seconds.median / nets:.4f}", f"{point['floor'] / seconds.median:.2f}",
                f"seconds ∝ {axis}^{power:.2f}" if point is points[-1] else "",
            )  # fmt: skip
        table.add_section()
    return table


_DRAWN = {
    "kernels": _kernels,
    "machine": _machine,
    "memory": _memory,
    "cold": _cold,
    "scaling": _scaling,
}


def _targets(judged: list[Judged]) -> Table:
    table = _table("the targets", "", ("asked", "measured"), "")
    for each in judged:
        unit = f" {each.target.unit}" if each.target.unit else ""
        asked = f"{'≥' if each.target.at_least else '≤'} {each.target.bound:g}{unit}"
        value = f"{each.measured:.3g}{unit}" if each.measured is not None else ""
        verdict = {None: "not measured", True: "met", False: "missed"}[each.met]
        table.add_row(
            each.target.asked,
            asked,
            value,
            verdict + (f": {each.on}" if each.met is not None else ""),
        )
    return table


def _table(title: str, first: str, numbers: tuple[str, ...], last: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(last)
    return table


def _range(found: Spread, digits: int, unit: float = 1.0) -> str:
    return f"{found.least / unit:.{digits}f} to {found.most / unit:.{digits}f}"


def _caption(section: dict[str, Any]) -> str:
    made_by = ", ".join(f"{name} {version}" for name, version in section["versions"].items())
    machine = section["machine"]
    quick = " (a quick look, not to be quoted)" if section["quick"] else ""
    return (
        f"{section['command']}{quick}\n{section['began']}, {section['seconds']:.0f} s, "
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; {made_by}"
    )
