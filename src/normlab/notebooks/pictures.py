"""Stand-ins for what older notebooks take their pictures from, inside the kernel.

SciPy's `scipy.misc.imread` and `imresize` are gone since SciPy 1.3; and the kitten and the puppy
that the cell on image processing by convolutions shows lie in a folder of the course. Where they
are missing, two drawn pictures take their places, and a line says so.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import PurePath
from types import ModuleType
from typing import Any

import numpy as np

from normlab.typing import Array

SIZES = {
    "kitten": (300, 400),
    "puppy": (300, 300),
}  # height and width: the cell cuts a square out of a wide kitten


def install() -> None:
    """Give the kernel `scipy.misc`'s old functions and `imageio`, and let readers of pictures know the two."""
    for name in ("imageio", "imageio.v2", "imageio.v3"):
        module = _module(name)
        if module is not None:
            for function in ("imread", "imread_v2"):
                if hasattr(module, function):
                    setattr(module, function, _or_drawn(getattr(module, function)))
    misc: Any = _module("scipy.misc") or _new_module("scipy.misc")
    old: dict[str, Any] = {"imread": imread, "imresize": imresize, "imsave": imsave}
    for name, function in old.items():
        if not hasattr(misc, name):
            setattr(misc, name, function)
    misc.imread = _or_drawn(misc.imread)
    if "imageio" not in sys.modules:
        _new_module("imageio").imread = misc.imread


def imread(name: Any, *_: Any, **__: Any) -> Array:
    """The picture in a file, (height, width, 3), 8 bits each."""
    from PIL import Image

    picture: Array = np.asarray(Image.open(name).convert("RGB"))
    return picture


def imresize(arr: Array, size: Any, interp: str = "bilinear", mode: str | None = None) -> Array:
    """A picture in another size: `size` in per cent (an int), as a factor (a float) or as (height, width)."""
    from PIL import Image

    picture = Image.fromarray(_bytes(arr), mode)
    if isinstance(size, tuple | list | np.ndarray):
        height, width = (int(length) for length in size[:2])
    else:
        factor = size / 100 if isinstance(size, int | np.integer) else float(size)
        height, width = (int(factor * length) for length in arr.shape[:2])
    resampling = getattr(Image.Resampling, interp.upper())
    resized: Array = np.asarray(picture.resize((width, height), resampling))
    return resized


def imsave(name: Any, arr: Array, *_: Any, **__: Any) -> None:
    """Write a picture to a file, whose name says in which format."""
    from PIL import Image

    Image.fromarray(_bytes(arr)).save(name)


def drawn(name: str) -> Array:
    """The picture that stands for 'kitten' or 'puppy': a round face with two ears before a sky, (H, W, 3), 8 bits."""
    height, width = SIZES[name]
    y, x = np.mgrid[:height, :width] / height
    sky = np.stack([200 - 90 * y, 170 + 40 * x, 240 - 60 * y], axis=-1)
    centre = width / height / 2
    fur, pointed = ((225, 160, 90), True) if name == "kitten" else ((150, 105, 75), False)

    def disc(across: float, down: float, wide: float, high: float) -> Array:
        inside: Array = ((x - across) / wide) ** 2 + ((y - down) / high) ** 2 <= 1
        return inside

    for side in (-1, 1):
        if pointed:
            ear = (np.abs(x - centre - side * 0.19) <= (y - 0.12) * 0.45) & (y <= 0.4)
        else:
            ear = disc(centre + side * 0.29, 0.5, 0.1, 0.26)
        sky[ear] = np.array(fur) * 0.8
    sky[disc(centre, 0.55, 0.3, 0.3)] = fur
    for side in (-1, 1):
        sky[disc(centre + side * 0.11, 0.48, 0.045, 0.055)] = (40, 60, 40)
    sky[disc(centre, 0.62, 0.04, 0.03)] = (70, 40, 45)
    ripple = 6 * np.sin(90 * (x + 0.6 * y))[..., None]  # something for the edge filters
    painted: Array = np.clip(sky + ripple, 0, 255).astype(np.uint8)
    return painted


def _or_drawn(read: Callable[..., Any]) -> Callable[..., Any]:
    """`read`, with a drawn picture where the kitten or the puppy is missing."""

    def reader(name: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return read(name, *arguments, **options)
        except OSError:
            stem = PurePath(str(name)).stem.lower()
            if stem not in SIZES:
                raise
            print(f"{name} is not here; a drawn picture stands for it.")
            return drawn(stem)

    return reader


def _bytes(arr: Array) -> Array:
    """8 bits a number; other types are stretched from their least to their largest value, as scipy.misc did."""
    arr = np.asarray(arr)
    if arr.dtype == np.uint8:
        return arr
    spread = np.ptp(arr) or 1
    stretched: Array = np.round(255.0 * (arr - arr.min()) / spread).astype(np.uint8)
    return stretched


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except Exception:  # a library that is there and does not load is as good as none
        return None


def _new_module(name: str) -> Any:
    """An empty module of that name, in its package if there is one."""
    module = sys.modules[name] = ModuleType(name)
    parent, _, last = name.rpartition(".")
    if parent:
        package = _module(parent)
        if package is None:
            package = sys.modules[parent] = ModuleType(parent)
            package.__path__ = []
        setattr(package, last, module)
    return module
