"""All normalization layers by name: what is imported here is what nets, studies and the command line can be asked for.

To add a norm, end its file with its record and add one line here.
"""

from __future__ import annotations

from normlab.layers.batchnorm_in_nets import BATCH_NORM as BATCH_NORM
from normlab.layers.derf import DERF as DERF
from normlab.layers.dyt import DYT as DYT
from normlab.layers.groupnorm import GROUP_NORM as GROUP_NORM
from normlab.layers.layernorm import LAYER_NORM as LAYER_NORM
from normlab.layers.norm_record import RUNNING, Norm, Parameter
from normlab.layers.rmsnorm import RMS_NORM as RMS_NORM

__all__ = ["BY_NAME", "RUNNING", "Norm", "Parameter", "title_of"]

BY_NAME: dict[str, Norm] = {
    norm.name: norm for norm in tuple(globals().values()) if isinstance(norm, Norm)
}


def title_of(name: str | None) -> str:
    """A norm's name in sentences and figures.

    >>> title_of("rmsnorm"), title_of(None)
    ('RMS norm', 'no norm')
    """
    return "no norm" if name is None else BY_NAME[name].title
