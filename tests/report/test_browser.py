"""The page in a real browser: Debian's Chromium, without a screen. Skipped where there is none."""

from __future__ import annotations

import base64
import csv
import json
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed: pip install 'normlab[dev]'")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="there is no chromium with chromedriver here (Debian: apt-get install chromium chromium-driver)",
)

Browser = Any


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def visit(browser: Browser, results: Path) -> Callable[..., Browser]:
    shown: tuple[object, ...] = ()

    def opened(width: int = 1280, scheme: str = "light", media: str = "screen", fresh: bool = False) -> Browser:
        """The page in these circumstances, loaded anew unless it is shown in them already."""
        nonlocal shown
        if shown == (width, scheme, media) and not fresh:
            return browser
        shown = () if fresh else (width, scheme, media)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]
        emulated = {"media": media, "features": [{"name": name, "value": value} for name, value in features]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
        browser.get((results / "index.html").as_uri())
        wait_for(lambda: browser.execute_script("return document.documentElement.dataset.drawn") == "all")
        return browser

    return opened


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the condition returns once it is true."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return found


def test_no_message_and_no_request_leaves(visit: Callable[..., Browser]) -> None:
    browser = visit()
    browser.get_log("browser"), browser.get_log("performance")
    visit(fresh=True)
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert requests  # the page itself is one
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    assert len([url for url in requests if url.startswith("file:")]) == 1


def test_every_chart_is_drawn(visit: Callable[..., Browser]) -> None:
    browser = visit()
    counts = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('svg path, svg rect').length)"
    )
    assert len(counts) > 25
    assert min(counts) > 10


def opacities(figure: Any) -> list[float]:
    """Of each line in the first chart of a figure."""
    lines = figure.find_elements(By.CSS_SELECTOR, ".chart")[0].find_elements(By.CSS_SELECTOR, ".mark-line path")
    return [float(line.get_attribute("opacity") or 1) for line in lines]


def test_the_legend_shows_one_line_alone(visit: Callable[..., Browser]) -> None:
    figure = visit().find_element(By.ID, "initialization-group-0")
    buttons = figure.find_elements(By.CSS_SELECTOR, ".legend button")
    assert [button.text for button in buttons] == ["no norm", "batch norm", "layer norm", "RMS norm"]
    assert opacities(figure) == [1, 1, 1, 1]
    buttons[1].click()
    wait_for(lambda: sorted(opacities(figure)) == pytest.approx([0.1, 0.1, 0.1, 1]))
    assert [button.get_attribute("aria-pressed") for button in buttons] == ["false", "true", "false", "false"]
    buttons[1].send_keys(Keys.ENTER)  # as with the keyboard
    wait_for(lambda: opacities(figure) == [1, 1, 1, 1])
    assert buttons[1].get_attribute("aria-pressed") == "false"


def test_hovering_tells_the_value(visit: Callable[..., Browser]) -> None:
    browser = visit()
    chart = browser.find_element(By.ID, "depth-1")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
    point = chart.find_elements(By.CSS_SELECTOR, ".mark-symbol path")[-1]
    ActionChains(browser).move_to_element(point).perform()
    tooltip = wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "#vg-tooltip-element.visible"))[0]
    for said in ("batch norm", "Epoch", "Training accuracy (%)", " % (95 %: ", "runs"):
        assert said in tooltip.text


def labels(chart: Any) -> list[str]:
    """Of the horizontal axis."""
    return [
        label.text
        for label in chart.find_elements(By.CSS_SELECTOR, ".role-axis-label")[0].find_elements(By.TAG_NAME, "text")
    ]


def test_ctrl_and_wheel_zooms_and_the_wheel_alone_scrolls(visit: Callable[..., Browser]) -> None:
    browser = visit(fresh=True)
    chart = browser.find_element(By.ID, "depth-1")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
    before = labels(chart)
    wheel = """
        const box = arguments[0].querySelector('svg').getBoundingClientRect();
        const at = {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
        return document.elementFromPoint(at.clientX, at.clientY).dispatchEvent(new WheelEvent('wheel',
            {...at, deltaY: -300, ctrlKey: arguments[1], bubbles: true, cancelable: true}));
    """
    assert browser.execute_script(wheel, chart, False)  # not taken: the page scrolls
    time.sleep(0.2)
    assert labels(chart) == before
    assert not browser.execute_script(wheel, chart, True)  # taken, so that the browser does not zoom the page
    wait_for(lambda: labels(chart) != before)


def column(table: Any, number: int) -> list[str]:
    return [
        row.find_elements(By.TAG_NAME, "td")[number].get_attribute("data-value")
        for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")
    ]


def opened_table(browser: Browser, name: str) -> tuple[Any, Any]:
    """The details element and the table in it."""
    button = browser.find_element(By.CSS_SELECTOR, f"button[data-rows='{name}-rows']")
    details = button.find_element(By.XPATH, "..")
    browser.execute_script("arguments[0].open = true", details)
    return details, details.find_element(By.TAG_NAME, "table")


def test_tables_sort_both_ways_with_empty_cells_last(visit: Callable[..., Browser]) -> None:
    browser = visit()
    _, table = opened_table(browser, "batch-size-settings")
    heads = table.find_elements(By.TAG_NAME, "th")
    number = [head.text for head in heads].index("statistics gap")
    browser.execute_script("arguments[0].scrollIntoView({inline: 'center', behavior: 'instant'})", heads[number])
    button = heads[number].find_element(By.TAG_NAME, "button")
    for direction, sign in (("ascending", 1), ("descending", -1)):
        browser.execute_script("arguments[0].click()", button)
        assert heads[number].get_attribute("aria-sort") == direction
        values = column(table, number)
        numbers = [sign * float(value) for value in values if value]
        assert len(numbers) == 5
        assert numbers == sorted(numbers)
        assert values[5:] == [""] * 6
    assert [head.get_attribute("aria-sort") for head in heads].count("none") == len(heads) - 1


def test_csv_holds_every_run_with_all_digits(visit: Callable[..., Browser], tmp_path: Path, results: Path) -> None:
    browser = visit()
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    details, _ = opened_table(browser, "depth-runs")
    browser.execute_script("arguments[0].querySelector('button.save').click()", details)
    saved = tmp_path / "depth-runs.csv"
    wait_for(lambda: saved.exists() and saved.stat().st_size > 0)
    rows = list(csv.reader(saved.read_text(encoding="utf-8-sig").splitlines()))
    html = (results / "index.html").read_text(encoding="utf-8")
    expected = json.loads(html.partition('id="depth-runs-rows">')[2].partition("</script>")[0])
    assert rows[0] == expected[0]
    assert len(rows) == 1 + 2 * 4
    assert float(rows[1][3]) == expected[1][3]


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_overflows(visit: Callable[..., Browser], width: int) -> None:
    browser = visit(width)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    beyond = browser.execute_script(
        """
        return [...document.querySelectorAll('main *, header *')].filter((element) => {
            if (element.closest('.scroll, svg, .skip') && !element.matches('.scroll, .chart > svg')) return false;
            return element.getBoundingClientRect().right > arguments[0] + 0.5;
        }).map((element) => element.outerHTML.slice(0, 120))
        """,
        width,
    )
    assert beyond == []
    # text inside a chart stays inside it, too
    cut = browser.execute_script(
        """
        return [...document.querySelectorAll('.chart')].flatMap((chart) => {
            const box = chart.getBoundingClientRect();
            return [...chart.querySelectorAll('svg text')].filter((text) => {
                const at = text.getBoundingClientRect();
                return at.width > 0 && (at.right > box.right + 2 || at.left < box.left - 2);
            }).map((text) => chart.id + ': ' + text.textContent);
        })
        """
    )
    assert cut == []


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(21, 25, 32)")])
def test_light_and_dark_reach_page_and_charts(
    visit: Callable[..., Browser], results: Path, scheme: str, paper: str
) -> None:
    browser = visit(scheme=scheme)
    style = "return getComputedStyle(arguments[0])[arguments[1]]"
    assert browser.execute_script(style, browser.find_element(By.TAG_NAME, "body"), "backgroundColor") == paper
    label = browser.find_element(By.CSS_SELECTOR, "#depth-1 .role-axis-label text")
    soft = {"light": "rgb(90, 99, 115)", "dark": "rgb(164, 172, 186)"}[scheme]
    assert browser.execute_script(style, label, "fill") == soft
    picture = base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])
    (results / f"screenshot-{scheme}.png").write_bytes(picture)
    assert len(picture) > 20_000  # an empty page is far smaller


def test_print_is_on_white_paper_even_from_the_dark(visit: Callable[..., Browser]) -> None:
    browser = visit(scheme="dark", media="print")
    style = "return getComputedStyle(arguments[0])[arguments[1]]"
    body = browser.find_element(By.TAG_NAME, "body")
    assert browser.execute_script(style, body, "backgroundColor") == "rgb(255, 255, 255)"
    assert browser.execute_script(style, body, "color") == "rgb(29, 35, 48)"
    assert not browser.find_element(By.CSS_SELECTOR, "details.table").is_displayed()
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    assert pdf.startswith(b"%PDF")


def test_the_outline_can_be_walked_by_headings_and_names(visit: Callable[..., Browser]) -> None:
    browser = visit()
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    unnamed = browser.execute_script(
        """
        return [...document.querySelectorAll('button, a[href], [role=img], [role=region], [role=group], img')]
            .filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('alt')))
            .map((e) => e.outerHTML.slice(0, 100))
        """
    )
    assert unnamed == []
