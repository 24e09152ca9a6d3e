"""The page from made-up findings: all its parts, nothing from outside, and sentences that state results."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from normlab.errors import RecordsError
from normlab.findings import Column, ComparisonRow, ComparisonTable, Findings, Table
from normlab.report import output
from normlab.report.page import bundle, page, tight
from normlab.report.sections import cell_text, comparison_view, csv_rows
from normlab.report.strips import claim_scales, claim_strip


class Outline(HTMLParser):
    """Tags that open and close in order, ids, and everything that an attribute could fetch."""

    EMPTY = frozenset({"meta", "link", "img", "br", "path", "circle", "rect", "line"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.alternatives: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if tag not in self.EMPTY:
            self.open.append(tag)
        if "id" in found:
            self.ids.append(str(found["id"]))
        self.addresses += [
            str(found[name]) for name in ("src", "href", "action", "srcset") if name in found
        ]
        if tag == "img" or found.get("role") == "img":
            self.alternatives.append(str(found.get("alt") or found.get("aria-label") or ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html(results: Path) -> str:
    return (results / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    assert parsed.open == []
    return parsed


def test_the_page_is_one_file_below_five_megabytes(html: str) -> None:
    assert len(html.encode()) < 5_000_000


def test_nothing_is_fetched_from_outside(html: str, outline: Outline) -> None:
    assert all(address.startswith(("#", "data:")) for address in outline.addresses)
    own = html.replace(bundle(), "")
    assert not re.search(r"url\(|@import|https?://(?!vega\.github\.io/schema|www\.w3\.org)", own)


def test_ids_are_unique_and_every_link_leads_somewhere(outline: Outline) -> None:
    assert len(set(outline.ids)) == len(outline.ids)
    assert {address[1:] for address in outline.addresses if address.startswith("#")} <= set(
        outline.ids
    )


def test_every_study_has_all_its_parts(html: str, outline: Outline, findings: Findings) -> None:
    for study in findings.studies:
        assert study.name in outline.ids
        assert f"{study.name}-settings-rows" in outline.ids
        assert f"{study.name}-runs-rows" in outline.ids
        start = html.index(f'<section id="{study.name}"')
        section = html[start : html.index("</section>", start)]
        for part in ("Claims", "Answer", "What it was run on", "Save as CSV"):
            assert part in section
        assert section.count('class="statement"') == len(study.claims)
    assert (
        html.index('id="found"') < html.index('<section id="depth"') < html.index('id="provenance"')
    )


def test_every_figure_has_an_alternative_that_states_its_result(outline: Outline) -> None:
    assert all(len(text) > 10 for text in outline.alternatives)
    line = next(
        text for text in outline.alternatives if text.startswith("Best validation accuracy (the")
    )
    assert re.search(r"batch norm: \d+\.\d % at 0\.00010, \d+\.\d % at 1\.00", line), line
    assert "runs diverged" in line
    assert len(outline.alternatives) > 40


def test_divergence_is_shown_and_counted(html: str) -> None:
    assert "A cross marks settings at which runs diverged" in html
    assert re.search(r"\d+ runs diverged", html)


def test_charts_and_tables_are_valid_json(html: str) -> None:
    blocks = re.findall(
        r'<script type="application/json" id="([^"]+)">(.*?)</script>', html, re.DOTALL
    )
    assert len(blocks) > 35
    for _, text in blocks:
        json.loads(text)


def test_text_from_outside_is_escaped(findings: Findings) -> None:
    nasty = replace(findings.studies[0], title="<script>alert(1)</script>", name="a&b")
    made = page(replace(findings, studies=(nasty,), command='normlab "<b>"'))
    assert "<script>alert" not in made
    assert "&lt;script&gt;alert" in made


def test_an_unfinished_study_says_so(findings: Findings) -> None:
    partial = replace(findings.studies[0], finished=3, expected=8)
    assert "Not finished: 3 of 8 measurements" in page(replace(findings, studies=(partial,)))


def test_a_study_without_any_result_still_makes_a_page(findings: Findings) -> None:
    empty = Table((Column("runs", "count"),), ())
    nothing = replace(
        findings.studies[0], panels=(), claims=(), summary=empty, runs=empty, finished=0
    )
    assert f"Not finished: 0 of {nothing.expected}" in page(replace(findings, studies=(nothing,)))


def test_numbers_stay_with_their_units() -> None:
    assert (
        tight("from 30 % to 2.5 points, 3 seeds")
        == "from 30\N{NO-BREAK SPACE}% to 2.5\N{NO-BREAK SPACE}points, 3\N{NO-BREAK SPACE}seeds"
    )


def test_cells_are_read_by_their_kind() -> None:
    assert cell_text(0.9123, Column("accuracy", "percent")) == "91.2 %"
    assert cell_text(None, Column("accuracy", "percent")) == "–"
    assert cell_text(1.0, Column("scale")) == "1"
    assert cell_text(0.000123456, Column("scale")) == "0.000123"
    assert csv_rows(Table((Column("a"),), ((0.123456789,),))) == [["a"], [0.123456789]]


def test_bars_of_one_unit_share_a_scale_that_holds_all_of_them(findings: Findings) -> None:
    claims = [
        replace(
            findings.studies[0].claims[0], low=low, effect=low + 0.1, high=low + 0.2, margin=0.0
        )
        for low in (0.2, -0.5)
    ]
    scales = claim_scales(claims)
    assert len(scales) == 1
    first, second = (claim_strip(claim, scales) for claim in claims)
    assert first is not None
    assert second is not None
    assert first["margin"] == second["margin"]
    assert first["margin"] < first["low"] < first["effect"] < first["low"] + first["width"] < 100
    assert 0 < second["low"] < second["effect"] < second["low"] + second["width"] < second["margin"]
    assert first["ticks"] == second["ticks"]
    assert [tick["label"] for tick in first["ticks"]] == ["−40", "−20", "0", "+20", "+40"]
    assert first["side"] == (first["margin"], round(100 - first["margin"], 2))
    assert claim_strip(replace(claims[0], expect="below"), scales)["side"] == (0, first["margin"])  # type: ignore[index]


def test_an_unbounded_interval_ends_at_the_scales_end_and_an_unknown_one_has_no_bar(
    findings: Findings,
) -> None:
    claim = replace(findings.studies[0].claims[0], low=0.2, effect=0.3, high=math.inf, margin=0.0)
    bar = claim_strip(claim, claim_scales([claim]))
    assert bar is not None
    assert bar["low"] + bar["width"] == pytest.approx(100)
    unknown = replace(claim, low=math.nan, effect=math.nan, high=math.nan)
    assert claim_strip(unknown, claim_scales([claim, unknown])) is None


def test_a_verdict_stands_beside_the_claims_own_words(html: str, findings: Findings) -> None:
    """What was measured often says the opposite of a claim that fails; it never follows the verdict."""
    after = re.findall(
        r'<span class="verdict [^"]*">.*?</span>\w[^<]*</span>\s*(?:<a [^>]*>)?([^<]*)', html
    )
    statements = {tight(c.statement) for study in findings.studies for c in study.claims}
    beside = [unescape(text.strip()) for text in after if not text.strip().isdigit()]
    assert len(beside) >= len(statements)
    assert set(beside) == statements


def test_answer_figure_claims_and_limits_come_in_this_order(html: str, findings: Findings) -> None:
    for study in findings.studies:
        start = html.index(f'<section id="{study.name}"')
        section = html[start : html.index("</section>", start)]
        parts = [
            ">Answer<",
            ">Figure<",
            ">Claims<",
            ">What it cannot tell<",
            "What it was run on</summary",
        ]
        places = [section.index(part) for part in parts]
        assert places == sorted(places)


def test_every_study_says_how_to_run_it_again(findings: Findings) -> None:
    named = replace(findings.studies[0], command="normlab reproduce --studies tuned")
    assert "<code>normlab reproduce --studies tuned</code>" in page(
        replace(findings, studies=(named,))
    )


COMPARED = ComparisonTable(
    (
        ComparisonRow("batch 4", "no norm", 0.9, 0.85, 0.95, 3, 3, 0.01, 0.2),
        ComparisonRow("batch 4", "layer norm", 0.95, 0.93, 1.02, 2, 3, 0.001, 0.3),
    ),
    ("Batch 4: take layer norm.",),
)


def test_a_comparison_begins_with_its_table_and_recommendation(findings: Findings) -> None:
    study = replace(
        findings.studies[0], comparison=COMPARED, leaves_out="Nothing beyond these nets."
    )
    made = page(replace(findings, studies=(study,)))
    table = made.index('<table class="datasheet compared">')
    assert made.index("Batch 4: take layer norm.") < table < made.index('id="found"')
    assert "93.0 to 100.0\N{NO-BREAK SPACE}%" in made
    assert "2 of 3 seeds" in made
    assert "notebook’s figure leaves out" not in made
    view = comparison_view(study)
    assert view is not None
    bars = [row["strip"] for row in view["rows"]]
    assert bars[0]["effect"] < bars[1]["effect"]
    assert bars[0]["ticks"] == bars[1]["ticks"]


def test_figures_come_as_svg_and_png(results: Path, findings: Findings) -> None:
    for study in findings.studies:
        svg = (results / "figures" / f"{study.name}.svg").read_text(encoding="utf-8")
        assert svg.startswith("<svg")
        assert study.title in svg
        assert (results / "figures" / f"{study.name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_written_is_a_sentence(
    findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "write_atomically", full)
    with pytest.raises(RecordsError, match=r"No space left on device\. `normlab report` draws"):
        output.write(replace(findings, studies=findings.studies[:1]), tmp_path, workers=1)
