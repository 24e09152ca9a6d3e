"""The site in a real browser: served on loopback, driven by Selenium, with Pyodide from a folder."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from normlab.site import build

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FOLDERS = (
    os.environ.get("NORMLAB_PYODIDE", ""),
    str(Path(__file__).parents[3] / "shared" / "pyodide"),
)
PATIENCE = 300.0


def pyodide() -> Path | None:
    """A folder with Pyodide: NORMLAB_PYODIDE, or ../shared/pyodide; None where there is neither."""
    found = (Path(folder) for folder in FOLDERS if folder)
    return next((folder for folder in found if (folder / "pyodide.js").is_file()), None)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files in silence, and notes what was asked for."""

    asked: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()


Handler.extensions_map |= {".wasm": "application/wasm", ".js": "text/javascript"}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def opened(width: int = 1280) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
    ):
        options.add_argument(argument)
    options.add_argument(f"--window-size={width},900")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    browser.set_script_timeout(PATIENCE)
    # a window has a least width of its own; a phone's is narrower
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield browser
    finally:
        browser.quit()


def wait_for(told: Callable[[], object], what: str) -> None:
    began = time.monotonic()
    while not told():
        assert time.monotonic() - began < PATIENCE, f"waited in vain for {what}"
        time.sleep(0.1)


@contextmanager
def site(tmp: Path) -> Iterator[str]:
    """The site, written and served."""
    folder = pyodide()
    assert folder is not None
    build(tmp / "site", str(folder))
    with served(tmp / "site") as address:
        yield address


ASK = """
const [files, seed, done] = [arguments[0], arguments[1], arguments[arguments.length - 1]];
const heard = ({ data }) => {
  if (data.kind !== "report" && data.kind !== "failed") return;
  window.asker.removeEventListener("message", heard);
  done(JSON.stringify(data.kind === "report" ? data.report : { failed: data.text }));
};
if (!window.asker) {
  const base = new URL("./", location.href).href;
  window.asker = new Worker("worker.js");
  window.asker.postMessage({ kind: "start", base, pyodide: new URL("./pyodide/", base).href, version: "test" });
}
window.asker.addEventListener("message", heard);
window.asker.postMessage({ kind: "check", files, seed });
"""


def ask(browser: Any, files: Mapping[str, str], seed: int = 0) -> dict[str, Any]:
    """The report of the browser's Python on these files, by a worker that stays."""
    told: dict[str, Any] = json.loads(browser.execute_async_script(ASK, dict(files), seed))
    return told


def verdicts(report: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What two reports must have in common: verdicts and faults, in their order."""
    return [
        (f["function"], f["verdict"], f["fault"], f["severity"], f["line"])
        for f in report["findings"]
    ]
