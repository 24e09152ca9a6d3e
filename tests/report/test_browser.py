"""The page in a real browser: Debian's Chromium, without a screen. Skipped where there is none."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

webdriver = pytest.importorskip(
    "selenium.webdriver", reason="Selenium is not installed: pip install 'normlab[dev]'"
)
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
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def visit(browser: Browser, results: Path) -> Callable[..., Browser]:
    shown: tuple[object, ...] = ()

    def opened(
        width: int = 1280, scheme: str = "light", media: str = "screen", fresh: bool = False
    ) -> Browser:
        """The page in these circumstances, loaded anew unless it is shown in them already."""
        nonlocal shown
        if shown == (width, scheme, media) and not fresh:
            return browser
        shown = () if fresh else (width, scheme, media)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]
        emulated = {
            "media": media,
            "features": [{"name": name, "value": value} for name, value in features],
        }
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
        browser.get((results / "index.html").as_uri())
        draw_all(browser)
        return browser

    return opened


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the condition returns once it is true."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return found


def draw_all(browser: Browser) -> None:
    """Charts are drawn when they come near the screen, and all of them before printing."""
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    wait_for(
        lambda: browser.execute_script("return document.documentElement.dataset.drawn") == "all"
    )
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")


def test_no_message_and_no_request_leaves(visit: Callable[..., Browser]) -> None:
    browser = visit()
    browser.get_log("browser"), browser.get_log("performance")
    visit(fresh=True)
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [
        e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"
    ]
    assert requests  # the page itself is one
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    assert len([url for url in requests if url.startswith("file:")]) == 1


def test_every_chart_is_drawn(visit: Callable[..., Browser]) -> None:
    browser = visit()
    counts = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map(c => c.querySelectorAll('svg path, "
        "svg rect').length)"
    )
    assert len(counts) > 25
    assert min(counts) > 10


def opacities(figure: Any) -> list[float]:
    """Of each line in the first chart of a figure."""
    lines = figure.find_elements(By.CSS_SELECTOR, ".chart")[0].find_elements(
        By.CSS_SELECTOR, ".mark-line path"
    )
    return [float(line.get_attribute("opacity") or 1) for line in lines]


def test_the_legend_shows_one_line_alone(visit: Callable[..., Browser]) -> None:
    figure = visit().find_element(By.ID, "initialization-group-0")
    buttons = figure.find_elements(By.CSS_SELECTOR, ".legend button")
    assert [button.text for button in buttons] == [
        "no norm",
        "batch norm",
        "layer norm",
    ]
    assert opacities(figure) == [1, 1, 1]
    buttons[1].click()
    wait_for(lambda: sorted(opacities(figure)) == pytest.approx([0.1, 0.1, 1]))
    assert [button.get_attribute("aria-pressed") for button in buttons] == [
        "false",
        "true",
        "false",
    ]
    buttons[1].send_keys(Keys.ENTER)  # as with the keyboard
    wait_for(lambda: opacities(figure) == [1, 1, 1])
    assert buttons[1].get_attribute("aria-pressed") == "false"


def shown_tip(browser: Browser) -> Any:
    return wait_for(lambda: browser.find_elements(By.CSS_SELECTOR, "#tip.visible"))[0]


def at_centre(browser: Browser, chart: Any) -> Any:
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart
    )
    return chart


def test_a_pointer_anywhere_in_a_chart_reads_all_lines_at_its_place(
    visit: Callable[..., Browser],
) -> None:
    browser = visit()
    chart = at_centre(browser, browser.find_element(By.ID, "depth-1"))
    epochs = []
    for share in (-0.2, 0.21):  # of the chart's width, from its middle: on no mark
        offset = int(share * chart.size["width"])
        ActionChains(browser).move_to_element_with_offset(chart, offset, 40).perform()
        said = shown_tip(browser).text
        for name in ("no norm", "batch norm", "Training accuracy (%)", " % (95 %: ", "runs"):
            assert name in said
        epochs.append(said.splitlines()[0])
        hair = chart.find_element(By.CSS_SELECTOR, ".hair").rect
        pointer = chart.rect["x"] + chart.size["width"] / 2 + offset
        assert abs(hair["x"] - pointer) < chart.size["width"] / 10  # no further than half an epoch
    assert epochs[0] != epochs[1]


def test_arrow_keys_read_a_chart_and_escape_ends_it(visit: Callable[..., Browser]) -> None:
    browser = visit()
    chart = at_centre(browser, browser.find_element(By.ID, "depth-1"))
    said = []
    for key in (Keys.HOME, Keys.ARROW_RIGHT, Keys.END):
        chart.send_keys(key)
        said.append(shown_tip(browser).text.splitlines()[0])
    assert said == ["Epoch: 0", "Epoch: 1", "Epoch: 10"]
    chart.send_keys(Keys.ESCAPE)
    wait_for(lambda: not browser.find_elements(By.CSS_SELECTOR, "#tip.visible"))


def test_drawn_charts_keep_their_role_and_label(
    visit: Callable[..., Browser], results: Path
) -> None:
    """Vega writes a role and a label of its own; what a screen reader finds must stay ours."""
    browser = visit()
    found = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map(c => [c.id, c.getAttribute('role'), "
        "c.ariaLabel])"
    )
    html = (results / "index.html").read_text(encoding="utf-8")
    written = dict(
        re.findall(r'<div class="chart" id="([^"]+)" role="img" aria-label="([^"]+)"', html)
    )
    assert len(found) == len(written) > 25
    for name, role, label in found:
        assert role == "img"
        assert label == unescape(written[name])
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = {
        node["name"]["value"]
        for node in tree
        if node.get("role", {}).get("value") == "image" and node.get("name")
    }
    assert {unescape(label) for label in written.values()} <= named
    assert "Vega visualization" not in named


def test_only_charts_near_the_screen_are_drawn_until_the_page_is_printed(
    visit: Callable[..., Browser], results: Path
) -> None:
    browser = visit(fresh=True)
    browser.get((results / "index.html").as_uri())
    count = "return document.querySelectorAll('.chart svg').length"
    first = browser.execute_script(count)
    everything = browser.execute_script("return document.querySelectorAll('.chart').length")
    assert first < everything / 2
    browser.execute_cdp_cmd("Page.printToPDF", {})
    assert browser.execute_script(count) == everything
    wider = """
        return [...document.querySelectorAll('.chart')]
            .filter((chart) => chart.querySelector('svg').clientWidth > chart.clientWidth + 1).length
    """
    wait_for(lambda: browser.execute_script(wider) == 0)  # as wide as before, again


def test_contents_follow_the_page_and_fold_where_there_is_no_room(
    visit: Callable[..., Browser],
) -> None:
    browser = visit()
    section = browser.find_element(By.ID, "batch-size")
    browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", section)
    current = "return [...document.querySelectorAll('.contents [aria-current]')].map(a => a.hash)"
    wait_for(lambda: browser.execute_script(current) == ["#batch-size"])
    assert browser.find_element(By.CSS_SELECTOR, ".contents a").is_displayed()
    browser = visit(390)
    assert not browser.find_element(By.CSS_SELECTOR, ".contents a").is_displayed()
    browser.find_element(By.CSS_SELECTOR, ".contents summary").send_keys(Keys.ENTER)
    link = browser.find_element(By.CSS_SELECTOR, ".contents a[href='#depth']")
    assert link.is_displayed()
    link.send_keys(Keys.ENTER)
    wait_for(lambda: not link.is_displayed())
    top = "return document.getElementById('depth').getBoundingClientRect().top"
    bar = browser.find_element(By.CSS_SELECTOR, ".contents").size["height"]
    wait_for(lambda: bar - 1 <= browser.execute_script(top) < 300)  # below the bar, not under it


def test_wide_tables_show_where_they_go_on(visit: Callable[..., Browser]) -> None:
    browser = visit(390)
    box = browser.find_element(By.CSS_SELECTOR, "#preprocessing .scroll:has(.matrix)")
    classes = lambda: set(box.get_attribute("class").split())  # noqa: E731
    wait_for(lambda: "more-right" in classes())
    assert "more-left" not in classes()
    browser.execute_script("arguments[0].scrollLeft = arguments[0].scrollWidth", box)
    wait_for(lambda: "more-left" in classes() and "more-right" not in classes())
    name = box.find_element(By.CSS_SELECTOR, "tbody th")
    assert abs(name.rect["x"] - box.rect["x"]) < 2  # the row's name stays in view


def test_text_grows_with_the_readers_size_in_charts_too(visit: Callable[..., Browser]) -> None:
    browser = visit(390)
    size = (
        "return getComputedStyle(document.querySelector('#depth-1 .role-axis-label text')).fontSize"
    )
    assert browser.execute_script(size) == "12px"
    browser.execute_cdp_cmd("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    try:
        visit(390, fresh=True)
        assert browser.execute_script(size) == "24px"
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        browser.execute_cdp_cmd("Page.setFontSizes", {"fontSizes": {"standard": 16}})
        visit(fresh=True)


def test_the_keyboard_alone_reaches_everything_in_the_order_of_the_page(
    visit: Callable[..., Browser],
) -> None:
    browser = visit(fresh=True)
    seen = []
    where = """
        const e = document.activeElement;
        const order = [...document.querySelectorAll('a, button, summary, [tabindex]')];
        const outline = getComputedStyle(e).outlineStyle;
        return [order.indexOf(e), outline, e.className, e.getBoundingClientRect().width > 0];
    """
    for _ in range(60):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        seen.append(browser.execute_script(where))
    assert seen[0][2] == "skip"
    places = [place for place, *_ in seen]
    assert places == sorted(places)
    assert all(outline != "none" and visible for _, outline, _, visible in seen)


def labels(chart: Any) -> list[str]:
    """Of the horizontal axis."""
    return [
        label.text
        for label in chart.find_elements(By.CSS_SELECTOR, ".role-axis-label")[0].find_elements(
            By.TAG_NAME, "text"
        )
    ]


def test_ctrl_and_wheel_zooms_and_the_wheel_alone_scrolls(visit: Callable[..., Browser]) -> None:
    browser = visit(fresh=True)
    chart = browser.find_element(By.ID, "depth-1")
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart
    )
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
    assert not browser.execute_script(
        wheel, chart, True
    )  # taken, so that the browser does not zoom the page
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
    number = next(i for i, head in enumerate(heads) if head.text.startswith("statistics gap"))
    browser.execute_script(
        "arguments[0].scrollIntoView({inline: 'center', behavior: 'instant'})", heads[number]
    )
    button = heads[number].find_element(By.TAG_NAME, "button")
    for direction, sign in (("ascending", 1), ("descending", -1)):
        browser.execute_script("arguments[0].click()", button)
        assert heads[number].get_attribute("aria-sort") == direction
        values = column(table, number)
        numbers = [sign * float(value) for value in values if value]
        assert len(numbers) == 4  # batch norm at four batch sizes
        assert numbers == sorted(numbers)
        assert values[4:] == [""] * (len(values) - 4)
    assert [head.get_attribute("aria-sort") for head in heads].count("none") == len(heads) - 1


def test_csv_holds_every_run_with_all_digits(
    visit: Callable[..., Browser], tmp_path: Path, results: Path
) -> None:
    browser = visit()
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    details, _ = opened_table(browser, "depth-runs")
    browser.execute_script("arguments[0].querySelector('button.save').click()", details)
    saved = tmp_path / "depth-runs.csv"
    wait_for(lambda: saved.exists() and saved.stat().st_size > 0)
    rows = list(csv.reader(saved.read_text(encoding="utf-8-sig").splitlines()))
    html = (results / "index.html").read_text(encoding="utf-8")
    expected = json.loads(html.partition('id="depth-runs-rows">')[2].partition("</script>")[0])
    assert rows[0] == expected[0]
    assert len(rows) == len(expected) == 1 + 12 * 4
    assert float(rows[1][3]) == expected[1][3]


@pytest.mark.parametrize("width", [390, 768, 1280])
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


@pytest.mark.parametrize(
    ("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(21, 25, 32)")]
)
def test_light_and_dark_reach_page_and_charts(
    visit: Callable[..., Browser], results: Path, scheme: str, paper: str
) -> None:
    browser = visit(scheme=scheme)
    style = "return getComputedStyle(arguments[0])[arguments[1]]"
    assert (
        browser.execute_script(style, browser.find_element(By.TAG_NAME, "body"), "backgroundColor")
        == paper
    )
    label = browser.find_element(By.CSS_SELECTOR, "#depth-1 .role-axis-label text")
    soft = {"light": "rgb(90, 99, 115)", "dark": "rgb(164, 172, 186)"}[scheme]
    assert browser.execute_script(style, label, "fill") == soft
    picture = base64.b64decode(
        browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"]
    )
    (results / f"screenshot-{scheme}.png").write_bytes(picture)
    assert len(picture) > 20_000  # an empty page is far smaller


def test_print_is_on_white_paper_even_from_the_dark(visit: Callable[..., Browser]) -> None:
    browser = visit(scheme="dark", media="print")
    style = "return getComputedStyle(arguments[0])[arguments[1]]"
    body = browser.find_element(By.TAG_NAME, "body")
    assert browser.execute_script(style, body, "backgroundColor") == "rgb(255, 255, 255)"
    assert browser.execute_script(style, body, "color") == "rgb(29, 35, 48)"
    assert not browser.find_element(By.CSS_SELECTOR, "details.table").is_displayed()
    pdf = base64.b64decode(
        browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"]
    )
    assert pdf.startswith(b"%PDF")


def test_on_paper_nothing_is_cut_and_charts_keep_readable_text(
    visit: Callable[..., Browser],
) -> None:
    browser = visit(718, media="print", fresh=True)  # the width of A4 between its margins
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    small = """
        return [...document.querySelectorAll('.chart')].filter((chart) => {
            const svg = chart.querySelector('svg');
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return 12 * scale < 10 || svg.getBoundingClientRect().right > 718.5;
        }).map((chart) => chart.id)
    """
    wait_for(lambda: browser.execute_script(small) == [])
    cut = """
        return [...document.querySelectorAll('.scroll')].filter((box) => box.checkVisibility())
            .filter((box) => box.scrollWidth > box.clientWidth + 1 || box.getBoundingClientRect().right > 718.5)
            .map((box) => box.ariaLabel)
    """
    assert browser.execute_script(cut) == []
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")


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
