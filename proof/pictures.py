"""The README's pictures: the top of a page, and what `check` answers.

    python -m proof.pictures [RESULTS] [--out docs/pictures]

RESULTS is a folder that `normlab reproduce` or `compare` wrote; without it, only `check`'s answer
is drawn. The page is shown by Chromium.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from normlab.checker import check
from normlab.checker.show_text import STYLES, as_lines

WORK = Path(__file__).parent / "pictured_work" / "layers.py"
SIZE = (1280, 960)
COLUMNS = 92
LIMIT = 300_000
"""Bytes: more is too much for a README."""
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>{styles} text {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; }}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}"
height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}<g transform="translate({terminal_x}, {terminal_y})"
clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g>{matrix}</g></g></svg>
"""
"""A terminal in which nothing is fetched: Rich's own frame asks for a font from the net."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", help="a results folder")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    made = {"check.svg": terminal(WORK.resolve()).encode()}
    if arguments.results is not None:
        made["page.png"] = top_of(arguments.results / "index.html")
    for name, content in made.items():
        if len(content) > LIMIT:
            raise SystemExit(f"{name} would have {len(content)} bytes, more than {LIMIT}")
        (arguments.out / name).write_bytes(content)
        print(f"{arguments.out / name}: {len(content)} bytes")


def terminal(work: Path) -> str:
    """A picture of a terminal in which `normlab check` was asked about a file."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copy(work, work.name)
        lines = as_lines(check(Path(work.name), seed=682), 0, width=COLUMNS)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    command = f"normlab check {work.name}"
    console.print(Text.assemble(("$ ", "green"), (command, "bold")))
    for line in lines:
        console.print(Text(line.text, style=STYLES[line.kind]))
    return console.export_svg(title=command, code_format=FRAME, unique_id="check")


def top_of(page: Path) -> bytes:
    """The first screen of a page, as PNG."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        width, height = SIZE
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.resolve().as_uri())
        browser.execute_script("window.dispatchEvent(new Event('scroll'))")
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    finally:
        browser.quit()
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()
