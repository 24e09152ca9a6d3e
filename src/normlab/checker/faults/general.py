# ruff: noqa: E501
# sentences and formulas are kept whole
"""What can be said about any function: contracts, and the limits of what is known."""

from __future__ import annotations

from normlab.checker.faults.record import BROADCAST, Fault

GENERAL = {
    "right": Fault("computes what it should, on every random input tried"),
    "unimplemented": Fault(
        "the starter's placeholder is still there: it returns None",
        hints=("Start from the formula in the docstring.", "Write down the shapes of all inputs and outputs first.",
               "`normlab explain {function}` shows the derivation, step by step."),
    ),
    "part_unimplemented": Fault(
        "{what} is not written yet; the rest is judged",
        hints=("Start from the formula in the docstring.", "Write down the shapes of all inputs and outputs first.",
               "`normlab explain {function}` shows the derivation, step by step."),
    ),
    "out_of_time": Fault(
        "was not checked: {message}",
        hints=("Mend what does not come back first.", "Run the check again after that.", "One endless loop uses up the time of all."),
    ),
    "waiting": Fault(
        "cannot be checked until {on} is right",
        hints=("Mend {on} first.", "Run the check again after that.", "A wrong input makes every output wrong."),
    ),
    "raises": Fault(
        "raises an exception on ordinary input",
        hints=("Read the last line of the message: which shapes met, and in which expression?",
               "Call the function on small arrays with all sizes different, and print each intermediate shape.",
               "Sums over one axis either keep that axis (keepdims) or lose it: only one of the two broadcasts as meant."),
    ),
    "integer_division": Fault(
        "uses / for a whole number: in Python 2 that gave one, in Python 3 it gives 2.0 and the like",
        hints=("Look for a size or an index that is computed by a division.", "Print the type of each size.",
               "Python 3 has a division of its own for whole numbers."),
    ),
    "lost": Fault(
        "ended or stalled the process it ran in: {message}",
        hints=("Look for a loop that does not end, or an array far too large.", "Time the call on arrays of a few rows.",
               "A loop over examples should run N times, not forever."),
    ),
    "syntax": Fault(
        "is left out, because its block does not parse: {message}",
        hints=("Read the line named, and the one above it.", "Count the brackets; look for a missing colon.",
               "The rest of the file was read without this block."),
    ),
    "shape": Fault(
        "{what} has the wrong shape",
        "an output has the shape of what it stands for; a gradient has the shape of what it is the gradient of",
        ("Compare the shape of {what} with the shape the docstring asks for.", "Print .shape of every input and output.",
         "Which sum lost an axis that is needed, or kept one that is not?"),
        BROADCAST,
    ),
    "not_an_array": Fault("{what} is not an array of numbers", hints=("Print its type.", "What does the function return?",
                          "The docstring lists what is returned, in order.")),
    "not_a_pair": Fault("does not return (out, cache)", hints=("Look at the return statement.", "Count what is returned.",
                        "The backward pass needs the cache that the forward pass returns.")),
    "not_a_tuple": Fault("does not return {what}", hints=("Look at the return statement.", "Count what is returned.",
                         "The docstring lists what is returned, in order.")),
    "not_repeatable": Fault(
        "gives another answer when it is called twice on the same cache: it changes what it was given",
        "a backward pass reads its cache and dout; it does not write to them",
        ("Look for `*=`, `-=`, `[...] =` on something that came out of the cache.", "Call it twice and compare.",
         "An operation in place changes the caller's array too, because both names mean the same memory."),
        "none: the cells call each backward pass once",
    ),
    "input_overwritten": Fault(
        "overwrites its input {what}",
        "a forward pass computes new arrays: the caller still needs the old ones",
        ("Look for an operation in place on {what}, or on a name that is only another name for it.",
         "Compare {what} before and after the call.", "Arithmetic that makes a new array leaves the old one as it was."),
        "the gradient check that follows: its numbers are taken at the damaged input",
    ),
    "dout_overwritten": Fault(
        "writes its result into dout itself; right, but the caller's gradient is gone",
        "", ("Compare dout before and after.", "Is dout used again by the caller?", "A copy costs little."),
        "none", severity="remark",
    ),
    "dtype_leak": Fault(
        "turns float32 into float64: right, but twice the memory and time",
        "", ("Look for arrays made by np.zeros or np.ones without a dtype.", "Print dtypes along the way.",
             "A result has the dtype of its inputs unless a float64 array joins in."),
        "none: no cell looks at dtypes", severity="remark",
    ),
    "single_precision": Fault(
        "is right only to seven digits: somewhere the numbers pass through float32",
        "", ("Look for astype(np.float32), or an array made with that dtype.", "Print the dtype of each intermediate array.",
             "A gradient check subtracts nearly equal numbers: float32 has too few digits for it."),
        "the gradient check (the forward cells print too few digits)",
    ),
    "unexplained": Fault(
        "{what} is wrong, and the reason is none of the known ones",
        "", ("Start from what is known, below.", "Check each intermediate array by finite differences.",
             "`normlab explain {function}` shows every intermediate gradient to compare with."),
        "the check of this function",
    ),
    "not_finite": Fault(
        "{what} holds NaN or infinity",
        "", ("Look for a division by something that may be zero, or a root of something negative.",
             "Print the smallest and largest value of each intermediate array.", "var + eps is never zero."),
        "the check of this function",
    ),
    "no_cache": Fault("its forward pass returns no cache", hints=("Look at what the forward pass returns in training.",
                      "Print the cache.", "Backward can only use what forward kept.")),
}  # fmt: skip
