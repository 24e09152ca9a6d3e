"""The checker in the browser: the same verdicts as natively, and a page that holds its promises."""

import json
import subprocess
import sys
import zipfile

import pytest

from normlab.checker.here import check_here
from normlab.errors import OptionError
from normlab.site import build
from normlab.site.building import PYODIDE, checker_zip, version_of
from tests.checker.mistakes import PLANTS
from tests.checker.planting import BASE, STYLES, planted, text_of
from tests.site import browsing

needs_browser = pytest.mark.skipif(
    browsing.CHROMIUM is None or browsing.DRIVER is None or browsing.pyodide() is None,
    reason="needs chromium with chromedriver, and Pyodide with NumPy in NORMLAB_PYODIDE or ../shared/pyodide",
)
SOURCE = text_of(*BASE)
WRONG = "import numpy as np\n\ndef relu_forward(x):\n    return np.abs(x), x\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    pytest.importorskip("selenium", reason="Selenium is not installed")
    with (
        browsing.site(tmp_path_factory.mktemp("pages")) as address,
        browsing.opened(390) as browser,
    ):
        browser.get(address)
        yield browser


def natively(tmp_path, text, seed=0):
    """The report of a Python of its own, as the command line loads a file."""
    file = tmp_path / "layers.py"
    file.write_text(text)
    code = (
        "import sys, json; from normlab.checker.here import check_here;"
        f"print(json.dumps(check_here({str(file)!r}, seed={seed}).as_dict()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


CHOSEN = [plant.id for plant in PLANTS][::25]


@needs_browser
@pytest.mark.parametrize("plant", [p for p in PLANTS if p.id in CHOSEN], ids=lambda plant: plant.id)
def test_a_planted_mistake_gets_the_same_verdict_as_natively(page, tmp_path, plant):
    """`python -m proof.browser` asks for every planted mistake and every correct style."""
    text = planted(SOURCE, plant.edits)
    assert browsing.verdicts(browsing.ask(page, {"layers.py": text})) == browsing.verdicts(
        natively(tmp_path, text)
    )


@needs_browser
@pytest.mark.parametrize("style", STYLES[:2], ids=lambda style: style[0])
def test_correct_code_is_right_there_too(page, style):
    report = browsing.ask(page, {"layers.py": text_of(*style)})
    assert set(report["functions"].values()) == {"right"}


@needs_browser
def test_a_folder_and_a_notebook_are_read(page):
    cell = {
        "cell_type": "code",
        "source": WRONG,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    notebook = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})
    for files in (
        {"work.ipynb": notebook},
        {"cs231n/layers.py": WRONG, "cs231n/optim.py": "x = 1\n"},
    ):
        report = browsing.ask(page, files)
        assert report["functions"]["relu_forward"] == "wrong"


def state(browser):
    return browser.find_element("id", "state").text


def check_in_page(browser, text):
    browsing.wait_for(lambda: browser.find_element("id", "check").is_enabled(), "the button")
    browser.execute_script("document.getElementById('code').value = arguments[0]", text)
    browser.find_element("id", "check").click()


@needs_browser
def test_a_pasted_mistake_is_named_on_a_phone_and_the_page_goes_on_after_a_hang(page):
    page.refresh()
    check_in_page(page, WRONG)
    browsing.wait_for(lambda: state(page).startswith("Done"), "the answer")
    shown = page.find_element("id", "findings").text
    assert "relu_forward wrong" in shown
    assert "layers.py:4" in shown
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    folded = page.find_elements("css selector", "details")
    assert folded
    assert not any(each.get_attribute("open") for each in folded)
    assert "`relu_forward` wrong (layers.py:4)" in page.execute_script(
        "return window.normlab.markdown()"
    )

    page.execute_script("window.normlab.set({ seconds: 5 })")
    check_in_page(page, "def affine_forward(x, w, b):\n    while True:\n        pass\n")
    browsing.wait_for(lambda: state(page).startswith("Stopped"), "the end of the loop")
    assert "while affine_forward" in state(page)
    page.execute_script("window.normlab.set({ seconds: 60 })")
    check_in_page(page, WRONG)
    browsing.wait_for(lambda: state(page).startswith("Done"), "another answer")


@needs_browser
def test_the_code_cannot_leave_the_tab(page):
    """Neither the page nor its worker may fetch from elsewhere, and the code sees nothing of the page."""
    fetched = page.execute_async_script(
        "const done = arguments[0]; fetch('http://127.0.0.2:9/').then(() => done('sent'), () => "
        "done('refused'))"
    )
    assert fetched == "refused"
    source = (
        "import numpy as np\n"
        "def relu_forward(x):\n"
        "    from js import fetch, document\n"
        "    return np.maximum(x, 0), x\n"
    )
    report = browsing.ask(page, {"layers.py": source})
    assert report["functions"]["relu_forward"] == "wrong"
    assert "cannot import name" in json.dumps(report)


@needs_browser
def test_a_second_visit_needs_no_network(page):
    browsing.wait_for(
        lambda: page.execute_async_script(
            "const done = arguments[0]; navigator.serviceWorker.ready.then(() => done(true), () "
            "=> done(false))"
        ),
        "the service worker",
    )
    page.refresh()
    browsing.wait_for(lambda: state(page).startswith("Ready"), "the first visit")
    page.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    page.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    before = len(browsing.Handler.asked)
    page.refresh()
    browsing.wait_for(lambda: state(page).startswith("Ready"), "the page without a network")
    # a browser asks whether the service worker has changed, whatever is emulated
    assert set(browsing.Handler.asked[before:]) <= {"/offline.js"}
    page.execute_cdp_cmd(
        "Network.emulateNetworkConditions", {**offline, "offline": False, "downloadThroughput": -1}
    )


def test_the_site_is_the_same_bytes_each_time_and_names_its_version(tmp_path):
    page = build(tmp_path / "one")
    build(tmp_path / "two")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    text = page.read_text()
    assert len(version_of(text)) == 12
    assert "connect-src 'self' https://cdn.jsdelivr.net;" in text
    assert json.loads((tmp_path / "one" / "settings.json").read_text())["pyodide"] == PYODIDE


def test_what_is_packed_is_the_checker_and_loads_nothing_but_numpy(tmp_path):
    """In a Python whose path holds the archive and NumPy alone."""
    (tmp_path / "checker.zip").write_bytes(checker_zip())
    names = zipfile.ZipFile(tmp_path / "checker.zip").namelist()
    assert not [name for name in names if "grading" in name or "studies" in name]
    with zipfile.ZipFile(tmp_path / "checker.zip") as archive:
        archive.extractall(tmp_path / "lib")
    (tmp_path / "layers.py").write_text(WRONG)
    code = (
        "import sys, numpy\n"
        "numpy_and_before = set(sys.modules)\n"
        f"sys.path.insert(0, {str(tmp_path / 'lib')!r})\n"
        "from normlab.checker.here import check_here\n"
        f"report = check_here({str(tmp_path / 'layers.py')!r}, seed=1)\n"
        "ours = {m.partition('.')[0] for m in set(sys.modules) - numpy_and_before}\n"
        "from importlib.metadata import packages_distributions\n"
        "print(report.functions['relu_forward'], *sorted(ours & set(packages_distributions())))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    verdict, *others = done.stdout.split()
    assert verdict == "wrong"
    assert set(others) <= {"normlab", "numpy"}


def test_folders_that_are_no_pyodide_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"pyodide\.js, .* is missing"):
        build(tmp_path / "out", str(tmp_path))
    with pytest.raises(OptionError, match="neither a folder nor an http address"):
        build(tmp_path / "out", "ftp://somewhere/pyodide")


def test_checking_here_is_checking_there(tmp_path):
    from normlab.checker import check

    file = tmp_path / "layers.py"
    file.write_text(WRONG)
    here, there = check_here(file, seed=5), check(file, seed=5)
    assert browsing.verdicts(here.as_dict()) == browsing.verdicts(there.as_dict())
