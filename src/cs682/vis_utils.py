"""Forwarding address of the assignment's picture of many images, which lives in `normlab.image_grid`."""

from normlab.image_grid import visualize_grid

__all__ = ["visualize_grid"]
