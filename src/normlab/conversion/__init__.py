"""Parameters and running statistics to and from other libraries, with their conventions made explicit.

`export_net` and `import_net` are the two calls; `conventions` is the table of what differs.
"""

from normlab.conversion.checkpoint import load_net, save_net
from normlab.conversion.completing import Told
from normlab.conversion.conventions import biased, complement, unbiased
from normlab.conversion.errors import ForeignNetError
from normlab.conversion.files import export_net, import_net

__all__ = [
    "ForeignNetError",
    "Told",
    "biased",
    "complement",
    "export_net",
    "import_net",
    "load_net",
    "save_net",
    "unbiased",
]
