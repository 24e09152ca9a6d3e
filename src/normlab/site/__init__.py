"""The checker as static pages: `build` writes a folder that any web server can serve, without a program behind it."""

from normlab.site.building import build

__all__ = ["build"]
