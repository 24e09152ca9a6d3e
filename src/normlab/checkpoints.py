"""Checkpoints: named arrays and a JSON state in one safetensors file, whole or not at all.

A checkpoint is never a pickle, so opening one executes nothing. It is written in one step
(`files.write_atomically`): killed while saving, the path holds the previous checkpoint or the new
one. A SHA-256 over the whole file is part of it and is verified before anything is believed.

    tensors   arrays by name, by custom "section/name": params/W1, optim/W1/m, best/W1, rng/key
    state     what JSON can say: iteration, epoch, settings

Both sit in the file as safetensors lays them out, the state in its metadata, so any safetensors
reader can look inside. The same content gives the same bytes.

>>> import tempfile; path = tempfile.mkdtemp() + "/net.safetensors"
>>> saved = save(path, {"params/W1": np.eye(2)}, {"epoch": 3, "best": float("-inf")})
>>> tensors, state = load(path)
>>> tensors["params/W1"].tolist(), state
([[1.0, 0.0], [0.0, 1.0]], {'epoch': 3, 'best': -inf})
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from normlab.arguments import explained
from normlab.errors import OptionError, RecordsError
from normlab.files import unwritten, write_atomically
from normlab.typing import Array, Generator

FORMAT = "normlab-checkpoint"
VERSION = 1

# The hash covers the file it stands in, with zeros in its own place. It comes first in our JSON,
# and our JSON first in the header, so its place is that of the first marker (quotes escaped: JSON
# inside JSON).
_MARKER = b'\\"sha256\\":\\"'
_NO_HASH = "0" * 64


@explained
def save(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], state: Mapping[str, Any]
) -> Path:
    """Write `tensors` and `state` to `path`, all or nothing, and return the path.

    Arrays may be of any shape, order and strides, of real, integer or Boolean type. The state comes
    back as JSON has it: tuples as lists, keys as text, NumPy's numbers as Python's; floats to the
    last bit, NaN and infinities included. Raises OptionError for what a checkpoint cannot hold,
    RecordsError where the file cannot be written.
    """
    try:
        description = json.dumps(
            {"sha256": _NO_HASH, "version": VERSION, "state": state},
            separators=(",", ":"),
            default=_as_python,
        )
        content = safetensors.numpy.save(
            {name: _plain(array) for name, array in tensors.items()}, metadata={FORMAT: description}
        )
    except (TypeError, ValueError, safetensors.SafetensorError) as error:
        raise OptionError(
            "a checkpoint holds arrays of numbers and a state of JSON's types, and this is "
            f"neither: {error}"
        ) from error
    start = content.index(_MARKER) + len(_MARKER)
    content = content[:start] + _hash_of(content, start).encode() + content[start + len(_NO_HASH) :]
    try:
        return write_atomically(path, content)
    except OSError as error:
        raise RecordsError(f"the checkpoint {unwritten(path, error)}") from error


@explained
def load(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """The tensors and the state that `save` wrote to `path`; the arrays are the caller's to change.

    Raises RecordsError for a file that is missing, is no checkpoint, is truncated or altered in any
    bit, or was written by a newer version of the format.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise RecordsError(
            f"there is no checkpoint at {path}; check the name and its epoch"
        ) from error
    except OSError as error:
        raise RecordsError(
            f"the checkpoint {path} cannot be read: {error.strerror or error}"
        ) from error
    description = _description(path, content)
    if description["version"] != VERSION:
        raise RecordsError(
            f"the checkpoint {path} has format version {description['version']}, and this normlab "
            f"reads version {VERSION}: update normlab, or load it with the version that wrote it"
        )
    damaged = RecordsError(
        f"the checkpoint {path} is damaged: its content does not have the SHA-256 it was saved "
        "with. Use another copy or an earlier checkpoint"
    )
    start = content.find(_MARKER) + len(_MARKER)
    if content[start : start + len(_NO_HASH)] != _hash_of(content, start).encode():
        raise damaged
    try:
        # copies, because some versions of safetensors hand out views of memory that cannot be
        # written to
        tensors = {name: array.copy() for name, array in safetensors.numpy.load(content).items()}
    except safetensors.SafetensorError as error:
        raise damaged from error
    if not isinstance(description["state"], dict):
        raise RecordsError(f"the checkpoint {path} holds no state; it was saved by another program")
    return tensors, description["state"]


def generator_state(rng: Generator) -> tuple[dict[str, Array], dict[str, Any]]:
    """A generator's whole state, the cached Gaussian included, for a checkpoint.

    Raises OptionError for a generator that is not NumPy's Mersenne Twister.
    """
    whole = rng.get_state(legacy=False)
    if whole["bit_generator"] != "MT19937":
        raise OptionError(
            f"a checkpoint keeps NumPy's legacy Mersenne Twister, np.random.RandomState(seed), not "
            f"{whole['bit_generator']}"
        )
    state = {
        "pos": int(whole["state"]["pos"]),
        "has_gauss": int(whole["has_gauss"]),
        "gauss": float(whole["gauss"]),
    }
    return {"key": np.array(whole["state"]["key"])}, state


def restore_generator(
    rng: Generator, tensors: Mapping[str, Array], state: Mapping[str, Any]
) -> None:
    """Put `rng` into the state that `generator_state` took: it goes on with the same draws.

    Raises RecordsError where the checkpoint holds no generator.

    >>> rng = np.random.RandomState(231); _ = rng.randn()
    >>> taken = generator_state(rng); following = rng.randn(3).tolist()
    >>> restore_generator(rng, *taken); rng.randn(3).tolist() == following
    True
    """
    try:
        rng.set_state(
            {
                "bit_generator": "MT19937",
                "state": {"key": tensors["key"], "pos": state["pos"]},
                "has_gauss": state["has_gauss"],
                "gauss": state["gauss"],
            }
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise RecordsError(
            "the checkpoint holds no generator's state, so training cannot continue with the "
            "draws that were next; it was not saved by a Solver"
        ) from error


def _plain(array: Array) -> Array:
    """The same values, C-contiguous and in this machine's byte order."""
    array = np.asarray(array, order="C")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _as_python(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}, which JSON does not know")


def _hash_of(content: bytes, start: int) -> str:
    """SHA-256 of the content with zeros for the 64 characters at `start`."""
    view = memoryview(content)
    digest = hashlib.sha256(view[:start])
    digest.update(_NO_HASH.encode())
    digest.update(view[start + len(_NO_HASH) :])
    return digest.hexdigest()


def _description(path: str | os.PathLike[str], content: bytes) -> dict[str, Any]:
    """Our JSON in the header: 8 bytes of length, then JSON with texts in `__metadata__`."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        description = json.loads(header["__metadata__"][FORMAT])
        if {"sha256", "version", "state"} <= description.keys():
            return dict(description)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        pass
    raise RecordsError(
        f"{path} ({len(content):,} bytes) is not a checkpoint of normlab, or only a part of one; a "
        "checkpoint is a safetensors file that Solver saved"
    )
