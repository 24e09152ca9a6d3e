"""Values as canonical JSON, which their keys are made of.

A field that was added after version 1 of the records is declared with `later(default)`, and written
only where it differs from that default. So the JSON and the key of whatever leaves it alone stay
what they were.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any

from normlab.errors import OptionError, refuse_unknown_keywords


def later(default: Any) -> Any:
    """A field added after version 1 of the records: in the JSON only where not its default."""
    return field(default=default, metadata={"added": True})


def as_values(spec: Any) -> dict[str, Any]:
    """A spec or history as JSON's values: every field but those added later at their default."""
    return {
        item.name: as_values(value) if is_dataclass(value) else value
        for item in fields(spec)
        if not item.metadata.get("kept apart")
        and ((value := getattr(spec, item.name)) != item.default or not item.metadata.get("added"))
    }


def from_values(cls: type[Any], values: Mapping[str, Any], **more: Any) -> Any:
    """The value of class `cls` with these fields. Raises OptionError for an unknown field."""
    refuse_unknown_keywords(cls.__name__, values, [f.name for f in fields(cls)])
    return cls(**values, **more)


@contextlib.contextmanager
def only_option_errors(kind: type) -> Iterator[None]:
    """Whatever is wrong with a text that should be JSON of this kind is an OptionError."""
    try:
        yield
    except OptionError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise OptionError(
            f"this text is not the JSON of a {kind.__name__}, as its to_json writes it: "
            f"{type(error).__name__}, {error}"
        ) from error
