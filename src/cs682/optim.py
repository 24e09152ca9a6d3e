"""Forwarding addresses of the assignment's update rules, which live in `normlab.optim`."""

from normlab.optim import adam, rmsprop, sgd, sgd_momentum

__all__ = ["adam", "rmsprop", "sgd", "sgd_momentum"]
