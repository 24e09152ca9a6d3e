"""Forwarding addresses of the assignment's nets, in `cs682.classifiers.fc_net`."""

__all__: list[str] = []
