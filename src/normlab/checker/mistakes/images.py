"""Mistakes in how images become rows: the layouts of spatial batch norm and of group norm."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from normlab.checker.mistakes.norm_forward import LINE
from normlab.checker.mistakes.record import Mistake

_layout = partial(
    Mistake,
    sought=(
        r"reshape|transpose|swapaxes|moveaxis",
        r"axis",
    ),
    line=LINE,
    where="Look at the reshapes and the axes.",
    tried="Fill x with its own channel number and follow one pixel.",
    cell="the forward cell",
)
SPATIAL = (
    _layout("not_transposed",
            "channels are not moved to the end before the rows are formed: values of different "
            "channels mix",
            "Each row of the flat array holds the C channels of one pixel."),
    _layout("not_transposed_back",
            "the flat result is brought back to (N, C, H, W) by another order than it was "
            "flattened",
            "The way back is the inverse of the way there."),
    _layout("left_as_rows", "the output is not brought back to the shape of x",
            "The output has the shape of x."),
    _layout("per_pixel", "statistics are taken over the examples only, a pixel at a time",
            "A channel's pixels share its statistics.", wrong={"axes": (0,)}),
    _layout("over_pixels_only", "statistics are taken within each image only",
            "A channel's statistics run over the batch as well.", wrong={"axes": (2, 3)}),
    _layout("over_channels", "statistics are taken over the channels",
            "Each channel has its own statistics.",
            wrong=({"axes": (1,)}, {"axes": (1, 2, 3)})),
    _layout("shared_bn_param", "all channels share one entry of the running statistics",
            "There is one running value a channel."),
)  # fmt: skip


class Split(NamedTuple):
    """How (N, C, H, W) is taken apart, as letters of its shape, and the axes that are reduced.

    `order` is the transposition before the split, undone after it.
    """

    letters: tuple[str, ...]
    axes: tuple[int, ...]
    order: tuple[int, ...] = (0, 1, 2, 3)


MIXED = (
    (0, 2, 3, 1),
    (0, 3, 2, 1),
    (0, 2, 1, 3),
    (0, 3, 1, 2),
    (1, 0, 2, 3),
    (2, 3, 0, 1),
    (0, 1, 3, 2),
)
CUT = (
    (("N", "G", "HW", "C/G"), (2,)), (("N", "G", "HW", "C/G"), (3,)),
    (("N", "HW", "G", "C/G"), (1, 3)),
    (("N", "H", "W", "G", "C/G"), (1, 2, 4)), (("N", "H", "W", "G", "C/G"), (4,)),
    (("NHW", "G", "C/G"), (2,)),
    (("NHW", "G", "C/G"), (0, 2)), (("NHW", "C/G", "G"), (1,)), (("NHW", "C"), (0,)),
    (("NHW", "C"), (1,)),
    (("NHWC/G", "G"), (0,)), (("NHWC/G", "G"), (1,)), (("G", "rest"), (1,)), (("G", "rest"), (0,)),
    (("N", "G", "H", "W", "C/G"), (2, 3)), (("N", "G", "H", "W", "C/G"), (4,)),
)  # fmt: skip
"""Reshapes of (N, C, H, W) that move nothing first, and the axes that are then reduced."""
OWN = Split(("N", "G", "C/G", "H", "W"), (2, 3, 4))
GROUPS = (
    _layout("groups_ignored", "all channels are normalized together: the groups are ignored",
            "Each of the G groups has its own statistics.",
            wrong={"groups": Split(("N", "1", "C", "H", "W"), (2, 3, 4))}),
    _layout("group_size_for_count", "G is taken for the number of channels in a group",
            "G is the number of groups.",
            wrong={"groups": Split(("N", "C/G", "G", "H", "W"), (2, 3, 4))}),
    _layout("channels_interleaved", "a group holds every so-many-th channel instead of neighbours",
            "Neighbouring channels form a group.",
            wrong={"groups": Split(("N", "C/G", "G", "H", "W"), (1, 3, 4))}),
    _layout("over_batch", "statistics are taken over the batch as well",
            "Group norm treats each example by itself.",
            wrong={"groups": Split(("N", "G", "C/G", "H", "W"), (0, 2, 3, 4))}),
    _layout("per_pixel_slices",
            "statistics are taken a pixel at a time, over the channels of a group only",
            "A group's statistics run over its channels and all pixels.",
            wrong=({"groups": Split(("N", "G", "C/G", "H", "W"), (2,))},
                   {"groups": Split(("N", "C/G", "G", "H", "W"), (2,))})),
    _layout("per_channel", "statistics are taken a channel at a time",
            "A group's statistics run over all its channels.",
            wrong={"groups": Split(("N", "G", "C/G", "H", "W"), (3, 4))}),
    _layout("batch_norm_for_group_norm",
            "each channel is normalized over the batch: this is batch norm, the groups are ignored",
            "Group norm treats each example by itself, and a group's channels together.",
            wrong={"groups": Split(("N", "C", "H", "W"), (0, 2, 3))}),
    _layout("over_groups",
            "statistics are taken over the groups, each position of a group by itself",
            "A group's statistics run over its channels and all pixels.",
            wrong=({"groups": Split(("N", "G", "C/G", "H", "W"), (0, 1))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (1,))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (0,))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (1, 3, 4))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (0, 1, 2))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (0, 2))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (0, 3, 4))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (0, 1, 3, 4))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (2, 3))},
                   {"groups": Split(("N", "G", "C/G", "H", "W"), (2, 4))},
                   {"groups": Split(("N", "C", "H", "W"), (1,))},
                   {"groups": Split(("N", "C", "H", "W"), (0, 1, 2, 3))})),
    _layout("pixels_mixed",
            "the reshape cuts across channels and pixels: what is normalized together is no group",
            "Neighbouring channels, with all their pixels, are one block of memory.",
            wrong=(*({"groups": Split(("N", "G", "rest"), (2,), order)} for order in MIXED),
                   *({"groups": Split(letters, axes)} for letters, axes in CUT))),
)  # fmt: skip
