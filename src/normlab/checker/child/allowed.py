"""Installed packages that a confined process may import besides NumPy.

Where a package lies is found before the process is confined: afterwards the folder that holds all
packages can neither be listed nor read, and only these are known. What else is installed is not
there, as Python understands it: a `try` that handles an ImportError goes its other way.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import layout

APART = ("site-packages", "dist-packages")


class Allowed(importlib.abc.MetaPathFinder):
    """The last finder asked: it knows some packages by where they lie."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places

    def find_spec(self, fullname: str, *more: Any) -> Any:
        """A package or module that is known."""
        del more
        place = self.places.get(fullname)
        if place is None:
            return None
        if place.endswith(".py"):
            return importlib.util.spec_from_file_location(fullname, place)
        start = os.path.join(place, "__init__.py")
        return importlib.util.spec_from_file_location(
            fullname, start, submodule_search_locations=[place]
        )

    def readable(self) -> list[str]:
        """What must be readable for them: where they lie, and the libraries beside them."""
        places = list(self.places.values())
        return [p for place in places for p in (place, f"{place}.libs") if os.path.exists(p)]


def find(names: Iterable[str], folders: Iterable[str]) -> Allowed:
    """Those of the packages that are installed here; from now on nothing else is found.

    What a file in one of the folders names is imported at once: a library may need more of the
    system to begin than a confined process has.
    """
    places = {}
    names = list(names)
    files = [file for folder in folders for file in layout.code_files(Path(folder), 8)]
    text = "\n".join(map(layout.read, files)) if names else ""
    for name in names:
        spec = importlib.machinery.PathFinder.find_spec(name)
        origin = spec.origin if spec is not None else None
        if origin is not None and origin.endswith("__init__.py"):
            places[name] = os.path.realpath(os.path.dirname(origin))
        elif origin is not None and origin.endswith(".py"):
            places[name] = os.path.realpath(origin)
        if name in places and re.search(rf"^\s*(import|from)\s+{re.escape(name)}\b", text, re.M):
            with contextlib.suppress(Exception):  # then it is not there for the submission either
                importlib.import_module(name)
    # the standard library's own listing stays: once confined, its folder cannot be listed again
    for place in [p for p in sys.path if os.path.basename(p.rstrip(os.sep)) in APART]:
        sys.path.remove(place)
        sys.path_importer_cache.pop(place, None)
    return Allowed(places)
