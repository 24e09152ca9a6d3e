"""Every planted mistake and every correct style, in the browser and natively: do the verdicts agree?

    python -m proof.browser             all of them
    python -m proof.browser --every 10  each tenth

Needs Chromium with chromedriver, Selenium, and Pyodide with NumPy (NORMLAB_PYODIDE or
../shared/pyodide).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.checker.mistakes import PLANTS
from tests.checker.planting import BASE, STYLES, planted, text_of
from tests.site import browsing

NATIVE = (
    "import sys, json\n"
    "from normlab.checker.here import check_here\n"
    "print(json.dumps(check_here(sys.argv[1], seed=0).as_dict()))"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof.browser", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N")
    every = parser.parse_args().every
    source = text_of(*BASE)
    texts = {plant.id: planted(source, plant.edits) for plant in PLANTS[::every]}
    texts |= {"+".join(style): text_of(*style) for style in STYLES}
    same = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with browsing.site(place) as address, browsing.opened() as browser:
            began = time.monotonic()
            browser.get(address)
            browsing.wait_for(
                lambda: browser.find_element("id", "state").text.startswith("Ready"), "Python"
            )
            print(f"ready after {time.monotonic() - began:.1f} s")
            for name, text in texts.items():
                (place / "layers.py").write_text(text)
                command = [sys.executable, "-c", NATIVE, str(place / "layers.py")]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                native = browsing.verdicts(json.loads(done.stdout.splitlines()[-1]))
                there = browsing.verdicts(browsing.ask(browser, {"layers.py": text}))
                same += native == there
                if native != there:
                    print(f"{name}: {there} in the browser, {native} natively")
    print(f"{same} of {len(texts)} agree")
    return int(same != len(texts))


if __name__ == "__main__":
    sys.exit(main())
