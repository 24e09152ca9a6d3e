"""Forwarding addresses of the assignment's data loaders, which live in `normlab.data`."""

from normlab.data import (
    get_CIFAR10_data,
    get_mnist_data,
    load_CIFAR10,
    load_CIFAR_batch,
)

__all__ = ["get_CIFAR10_data", "get_mnist_data", "load_CIFAR10", "load_CIFAR_batch"]
