"""The assignment's import paths. Forwarding addresses only: every name is normlab's own object."""

__all__: list[str] = []
