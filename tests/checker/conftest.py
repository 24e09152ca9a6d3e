"""Folders as students hand them in."""

import pytest

from tests.checker.planting import text_of


@pytest.fixture
def write(tmp_path):
    """Write files below a fresh folder, and return the folder."""

    def writer(**files):
        for name, text in files.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return writer


@pytest.fixture
def assignment(write):
    """A whole correct assignment in the package cs231n, as of the recent years."""
    return write(
        cs231n__layers=text_of("layers_staged"),
        cs231n__optim=text_of("optim_plain"),
        cs231n__layer_utils="from .layers import *\nfrom cs231n.fast_layers import *\n",
        cs231n__classifiers__fc_net="from ..layers import *\nfrom ..layer_utils import *\n"
        + text_of("nets_plain"),
    )
