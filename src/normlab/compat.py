"""Other names for the assignment's package, so that notebooks of other years and places run unchanged.

A few thousand public solutions say `from cs231n.classifiers.fc_net import *` where this one says
cs682. After `alias("cs231n")` every such import finds the modules of `cs682`: the same module
objects, except that packages get a module of their own to hang the names on, and that `fc_net` gets
a FullyConnectedNet which also understands the keywords of other years. It answers those with a
DeprecationWarning that gives today's spelling.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from normlab import nets
from normlab.errors import OptionError

ORIGINAL = "cs682"
_BESIDES = (
    "input_dim",
    "num_classes",
    "dropout",
    "normalization",
    "reg",
    "weight_scale",
    "dtype",
    "seed",
)

_aliases: dict[str, dict[str, ModuleType]] = {}  # for each alias, the modules it hides


def alias(name: str, *, shadow: bool = False) -> None:
    """Let `import name`, and every submodule of it, find the assignment's modules.

    A second call changes nothing. Raises OptionError where `name` is no name of a package, or where
    a package of that name exists (a solution of one's own beside the notebook): with `shadow` it is
    hidden until `unalias`.

    >>> alias("cs231n_of_2016")
    >>> from cs231n_of_2016.layers import batchnorm_forward
    >>> from normlab import layers
    >>> batchnorm_forward is layers.batchnorm_forward
    True
    >>> unalias("cs231n_of_2016")
    """
    if name in _aliases:
        return
    if not isinstance(name, str) or not name.isidentifier() or name in (ORIGINAL, "normlab"):
        raise OptionError(
            f"{name!r} cannot be another name of {ORIGINAL}; give the name of a package, like "
            "'cs231n'"
        )
    existing = place_of(name)
    if existing and not shadow:
        raise OptionError(
            f"there is a package {name!r} already, {existing}, and an alias would hide it; "
            "remove it, or hide it on purpose with shadow=True (--shadow on the command line)"
        )
    hidden = {key: module for key, module in sys.modules.items() if _belongs(key, name)}
    for key in hidden:
        del sys.modules[key]
    _aliases[name] = hidden
    _install(name)


def unalias(name: str) -> None:
    """Undo `alias(name)`: what it hid is found again. Objects imported meanwhile keep working."""
    if name not in _aliases:
        raise OptionError(
            f"{name!r} is no alias; there are {', '.join(map(repr, _aliases)) or 'none'}"
        )
    for key in [key for key in sys.modules if _belongs(key, name)]:
        del sys.modules[key]
    sys.modules.update(_aliases.pop(name))


class FullyConnectedNet(nets.FullyConnectedNet):
    """The net of `normlab.nets`, built with the keywords of any year of the assignment.

    `use_batchnorm=True` means normalization='batchnorm', `dropout_keep_ratio=p` means dropout=p,
    and `dropout=0` means no dropout. They are answered with a DeprecationWarning.
    """

    __signature__ = inspect.signature(nets.FullyConnectedNet)

    def __init__(self, hidden_dims: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(_BESIDES):
            raise TypeError(
                f"FullyConnectedNet takes {1 + len(_BESIDES)} arguments by position, not "
                f"{1 + len(args)}"
            )
        twice = [keyword for keyword, _ in zip(_BESIDES, args, strict=False) if keyword in kwargs]
        if twice:
            raise TypeError(f"FullyConnectedNet got {twice[0]!r} by position and by keyword")
        options = dict(zip(_BESIDES, args, strict=False)) | kwargs
        super().__init__(hidden_dims, **_in_todays_words(options))


def _in_todays_words(options: dict[str, Any]) -> dict[str, Any]:
    """The options with other years' keywords translated, and one warning that names them all."""
    options = dict(options)
    old = [
        _renamed(options, "use_batchnorm", "normalization"),
        _renamed(options, "dropout_keep_ratio", "dropout"),
    ]
    if isinstance(options.get("normalization"), bool):
        options["normalization"] = "batchnorm" if options["normalization"] else None
        old.append(
            "a batch norm that is switched by True or False is today "
            f"normalization={options['normalization']!r}"
        )
        # the years that said so also said, in the docstring of dropout, that p drops; half of them
        # kept with it
        if options.get("dropout", 0) not in (0, 0.5, 1):
            old.append(
                f"dropout={options['dropout']!r} is taken as the probability of keeping a unit; if "
                f"it should be that of dropping one, write dropout={1 - options['dropout']:g}"
            )
    if options.get("dropout") == 0:
        options["dropout"] = 1
        old.append("dropout=0 for no dropout is today dropout=1, the probability of keeping a unit")
    if any(old):
        warnings.warn(
            f"FullyConnectedNet: {'; '.join(filter(None, old))}.", DeprecationWarning, stacklevel=3
        )
    return options


def _renamed(options: dict[str, Any], old: str, new: str) -> str:
    """Move the option `old` to `new`, and say so; nothing where it is not given."""
    if old not in options:
        return ""
    if new in options:
        raise OptionError(
            f"FullyConnectedNet got both {old}={options[old]!r} and {new}={options[new]!r}; give "
            f"{new}"
        )
    options[new] = options.pop(old)
    return "" if isinstance(options[new], bool) else f"{old}= is today {new}="


def _install(name: str) -> None:
    """Enter every module of the original into sys.modules under the alias, and into its parent there."""
    root = importlib.import_module(ORIGINAL)
    below = pkgutil.walk_packages(root.__path__, f"{ORIGINAL}.")
    for original in [ORIGINAL, *(info.name for info in below)]:
        key = name + original.removeprefix(ORIGINAL)
        module = importlib.import_module(original)
        if hasattr(module, "__path__") or original.endswith(".fc_net"):
            module = _copy_of(module, key)
        sys.modules[key] = module
        parent, _, last = key.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)


def _copy_of(module: ModuleType, key: str) -> ModuleType:
    """A module of its own with the public names of `module`, its nets open to other years' keywords."""
    twin = ModuleType(key, module.__doc__)
    twin.__dict__.update({public: getattr(module, public) for public in module.__all__})
    twin.__dict__["__all__"] = list(module.__all__)
    if "FullyConnectedNet" in module.__all__:
        twin.__dict__["FullyConnectedNet"] = FullyConnectedNet
    is_package = hasattr(module, "__path__")
    twin.__spec__ = ModuleSpec(
        key, None, origin=f"alias of {module.__name__}", is_package=is_package
    )
    if is_package:
        twin.__path__ = []  # nothing further is found on disk: all there is has been entered
    return twin


def place_of(name: str) -> str:
    """Where an importable package of that name lives; empty where there is none with Python in it."""
    if name in sys.modules:
        return f"imported from {getattr(sys.modules[name], '__file__', None) or 'memory'}"
    spec = importlib.util.find_spec(name)
    if spec is None:
        return ""
    if spec.origin is not None:
        return f"in {spec.origin}"
    # a folder without __init__.py: the assignment keeps its data in cs231n/datasets, which hides
    # nothing
    folders = [Path(folder) for folder in spec.submodule_search_locations or []]
    return next((f"in {folder}" for folder in folders if any(folder.glob("*.py"))), "")


def _belongs(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")
