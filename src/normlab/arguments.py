"""What a documented function was given and cannot use, in a sentence: the one place that says so for arrays.

A formula says nothing of lists, None or arrays that do not fit, and would raise whatever NumPy or
Python raises first. `explained` turns that into an ArgumentError that names the argument.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import numpy as np

from normlab.errors import UserError

RAW = (
    AttributeError,
    LookupError,
    OverflowError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
P = ParamSpec("P")
R = TypeVar("R")


class ArgumentError(UserError, TypeError, ValueError):
    """An argument of a kind, type or shape that a function cannot use."""


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose raw exceptions name the argument; masked arrays are refused.

    >>> @explained
    ... def double(x: Array) -> Array:
    ...     return 2 * x.copy()
    >>> double(np.array([1, 2]))
    array([2, 4])
    >>> double(None)
    Traceback (most recent call last):
    ...
    normlab.arguments.ArgumentError: double got x of type NoneType; expected an array of numbers
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for value in (*args, *kwargs.values()):
            if isinstance(value, np.ma.MaskedArray):
                raise ArgumentError(
                    f"{_name_of(function)} got a masked array, whose mask it does not know: the "
                    "masked numbers would count. Give it the numbers that shall count, as "
                    "x.compressed() or x.filled(value)"
                )
        try:
            return function(*args, **kwargs)
        except UserError:
            raise
        except RAW as error:
            raise ArgumentError(_sentence(function, args, kwargs, error)) from error

    return call


def _sentence(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], error: Exception
) -> str:
    name = _name_of(function)
    try:
        signature = inspect.signature(function)
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as misfit:  # too many, too few, or one of another name
        return f"{name}({', '.join(signature.parameters)}): {misfit}"
    wanted = {each: str(parameter.annotation) for each, parameter in signature.parameters.items()}
    odd = [
        f"{each} {_described(value)}; expected {expected}"
        for each, value in given.items()
        if each != "self" and (expected := _unmet(each, value, wanted[each]))
    ]
    if odd:
        return f"{name} got {', and '.join(odd)}"
    all_given = ", ".join(
        f"{each} {_described(value)}" for each, value in given.items() if each != "self"
    )
    return f"{name} got {all_given}, which it cannot use together: {error}"


def _name_of(function: Callable[..., Any]) -> str:
    """A method with its class; of `__init__`, the class."""
    return function.__qualname__.split("<locals>.")[-1].removesuffix(".__init__")


def _unmet(name: str, value: object, annotation: str) -> str:
    """What was expected of an argument, where it is something else, and else nothing."""
    if name == "cache":
        usable = (isinstance(value, tuple) and value) or (
            isinstance(value, np.ndarray) and value.ndim
        )
        return "" if usable else "the cache that the forward pass returned"
    if annotation == "Array":
        is_numbers = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
        return "" if is_numbers else "an array of numbers"
    if annotation.startswith(("Mapping", "dict", "Config")):
        return "" if isinstance(value, Mapping) else "a dictionary"
    if "PathLike" in annotation:
        return "" if isinstance(value, str | bytes | os.PathLike) else "the path of a file"
    return ""


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"of shape {value.shape} and type {value.dtype}"
    if isinstance(value, Mapping | str | int | float | complex | np.generic):
        text = repr(value)
        return f"= {text}" if len(text) <= 80 else f"of type {type(value).__name__}"
    return f"of type {type(value).__name__}"
