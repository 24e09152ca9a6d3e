"""What this wing refuses."""

from __future__ import annotations

from normlab.errors import RecordsError, UserError


class ForeignNetError(UserError, ValueError):
    """A net in another library's file that is damaged, ambiguous, or none that normlab has."""


class UnwritableError(RecordsError):
    """A net's file that cannot be written where it shall be."""
