"""The README's pictures can be made, small enough, with nothing in them that would be fetched."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from proof import pictures


def test_the_answer_of_check_is_a_picture_that_fetches_nothing() -> None:
    picture = pictures.terminal(pictures.WORK)
    assert len(picture.encode()) < pictures.LIMIT
    words = re.sub(r"\s+", " ", " ".join(ElementTree.fromstring(picture).itertext()))
    assert "batchnorm_backward: wrong" in words
    assert "right: batchnorm_forward" in words
    assert "url(http" not in picture
    assert "@font-face" not in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.skipif(
    shutil.which("chromium") is None or shutil.which("chromedriver") is None,
    reason="there is no chromium with chromedriver here (Debian: apt-get install chromium chromium-driver)",
)
def test_the_top_of_a_page_is_a_picture_of_the_readmes_size(tmp_path: Path) -> None:
    pytest.importorskip("selenium", reason="Selenium is not installed: pip install 'normlab[dev]'")
    page = tmp_path / "index.html"
    page.write_text("<h1>Normalization, measured</h1>", encoding="utf-8")
    content = pictures.top_of(page)
    assert content.startswith(b"\x89PNG")
    assert tuple(int.from_bytes(content[at : at + 4], "big") for at in (16, 20)) == pictures.SIZE
