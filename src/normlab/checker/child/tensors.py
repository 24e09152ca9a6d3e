"""PyTorch's tensors among a person's values: some courses write the same functions on tensors.

PyTorch is never imported here. Where the person's code has done so, arrays go in as tensors of the
same numbers, and tensors come out as arrays.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np


def library() -> Any:
    """PyTorch, if the person's code has imported it."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and hasattr(torch, "Tensor") else None


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor."""
    torch = library()
    return torch is not None and isinstance(value, torch.Tensor)


def as_array(value: Any) -> np.ndarray:
    """A tensor's numbers."""
    torch = library()
    value = value.detach().cpu()
    if value.dtype in (torch.bfloat16,):
        value = value.float()
    return np.array(value.resolve_conj().resolve_neg().numpy())


def as_tensors(value: Any) -> Any:
    """The same value with tensors for arrays, and PyTorch's types for NumPy's."""
    torch = library()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    if isinstance(value, type) and value in (np.float32, np.float64):
        return torch.float32 if value is np.float32 else torch.float64
    if isinstance(value, dict):
        return {key: as_tensors(item) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(as_tensors(item) for item in value)
    return value


def are_meant(namespace: dict[str, Any], names: list[str]) -> bool:
    """Whether the functions asked about are written on tensors.

    They name PyTorch, or nothing names NumPy.
    """
    torch = library()
    if torch is None:
        return False
    modules = {n: v for n, v in namespace.items() if isinstance(v, types.ModuleType)}
    theirs = {n for n, v in modules.items() if v.__name__.partition(".")[0] == "torch"}
    if not theirs:
        return False
    torch.set_default_dtype(torch.float64)  # a torch.zeros(D) of theirs is as exact as the inputs
    torch.set_num_threads(1)
    if not any(module is np for module in modules.values()):
        return True
    for name in names:
        code = getattr(namespace.get(name), "__code__", None)
        if code is not None and theirs & set(code.co_names):
            return True
    return False
