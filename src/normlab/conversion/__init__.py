"""Nets to other libraries and back again, with the conventions made explicit.

`export_net` writes a net for another library and `import_net` reads such a file back;
`conventions` is the table of what differs.
"""

from normlab.conversion.checkpoint import load_net, save_net
from normlab.conversion.conventions import biased, complement, unbiased
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.files import export_net, import_net

__all__ = [
    "ForeignNetError",
    "biased",
    "complement",
    "export_net",
    "import_net",
    "load_net",
    "save_net",
    "unbiased",
]
