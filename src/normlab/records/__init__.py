"""Records outlive programs: one SQLite file of results, a row a finished run."""

from normlab.records.store import Records

__all__ = ["Records"]
