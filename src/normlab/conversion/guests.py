"""The optional packages of this wing, asked for by name before work starts."""

from __future__ import annotations

from importlib.util import find_spec

from normlab.errors import UserError


class MissingPackageError(UserError, ImportError):
    """An optional package that is not installed."""


def need_onnx() -> None:
    """Raise a MissingPackageError unless ONNX graphs can be read and written."""
    _need("onnx", "ONNX files", "onnx")


def need_h5py() -> None:
    """Raise a MissingPackageError unless Keras's weight files can be read and written."""
    _need("h5py", "Keras's weight files", "h5py")


def _need(module: str, what: str, title: str) -> None:
    if find_spec(module) is None:
        raise MissingPackageError(f"{what} need {title}: install with  pip install 'normlab[conversion]'")
