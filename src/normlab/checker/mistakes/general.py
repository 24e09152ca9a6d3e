"""What can be said about any function: contracts, and the limits of what is known."""

from __future__ import annotations

from typing import Any

from normlab.checker.mistakes.record import BROADCAST, Mistake, by_key

UNWRITTEN: dict[str, Any] = {
    "where": "Start from the formula in the docstring.",
    "tried": "Write down the shapes of all inputs and outputs first.",
    "asked": "`normlab explain {function}` shows the derivation, step by step.",
}
RETURNS: dict[str, Any] = {
    "where": "Look at the return statement.",
    "tried": "Count what is returned.",
}
PURE = "a forward pass computes new arrays: the caller still needs the old ones"
REPEATED = "a backward pass reads its cache and dout; it does not write to them"
SHAPES = "an output has the shape of what it stands for; a gradient has the shape of what it is the gradient of"
GRADIENT_CHECK = "the gradient check (the forward cells print too few digits)"

GENERAL = by_key((
    Mistake("right", "computes what it should, on every random input tried"),
    Mistake("unimplemented", "the starter's placeholder is still there: it returns None",
            **UNWRITTEN),
    Mistake("part_unimplemented", "{what} is not written yet; the rest is judged", **UNWRITTEN),
    Mistake("out_of_time", "was not checked: {message}",
            "One endless loop uses up the time of all.",
            where="Mend what does not come back first.", tried="Run the check again after that."),
    Mistake("module_missing", "cannot be checked: it uses something that was not handed in",
            "What a function calls has to be in the folder.",
            where="Look at the imports.", tried="Put the missing file beside the others."),
    Mistake("waiting", "cannot be checked until {on} is right",
            "A wrong input makes every output wrong.",
            where="Mend {on} first.", tried="Run the check again after that."),
    Mistake("raises", "raises an exception on ordinary input",
            "Sums over one axis either keep that axis (keepdims) or lose it: only one of the two "
            "broadcasts as meant.",
            where="Read the last line of the message: which shapes met, and in which expression?",
            tried="Call the function on small arrays with all sizes different, and print each "
            "intermediate shape."),
    Mistake("integer_division",
            "uses / for a whole number: in Python 2 that gave one, in Python 3 it gives 2.0 and "
            "the like",
            "Python 3 has a division of its own for whole numbers.",
            where="Look for a size or an index that is computed by a division.",
            tried="Print the type of each size."),
    Mistake("lost", "ended or stalled the process it ran in: {message}",
            "A loop over examples should run N times, not forever.",
            where="Look for a loop that does not end, or an array far too large.",
            tried="Time the call on arrays of a few rows."),
    Mistake("syntax", "is left out, because its block does not parse: {message}",
            "The rest of the file was read without this block.",
            where="Read the line named, and the one above it.",
            tried="Count the brackets; look for a missing colon."),
    Mistake("shape", "{what} has the wrong shape",
            "Which sum lost an axis that is needed, or kept one that is not?",
            line=SHAPES, where="Compare the shape of {what} with the shape the docstring asks for.",
            tried="Print .shape of every input and output.", cell=BROADCAST),
    Mistake("not_an_array", "{what} is not an array of numbers",
            "The docstring lists what is returned, in order.",
            where="Print its type.", tried="What does the function return?"),
    Mistake("odd_result", "returns something else than the arrays and numbers of its docstring",
            "The docstring lists what is returned, in its order; nothing is added or left out.",
            where="Look at the return statement: how many values, in which order?",
            tried="Print the type, dtype and shape of each result.",
            cell="the check of this function stops with an exception"),
    Mistake("not_a_pair", "does not return (out, cache)",
            "The backward pass needs the cache that the forward pass returns.", **RETURNS),
    Mistake("not_a_tuple", "does not return {what}",
            "The docstring lists what is returned, in order.", **RETURNS),
    Mistake("not_repeatable",
            "gives another answer when it is called twice on the same cache: it changes what it "
            "was given",
            "An operation in place changes the caller's array too, because both names mean the "
            "same memory.",
            line=REPEATED,
            where="Look for `*=`, `-=`, `[...] =` on something that came out of the cache.",
            tried="Call it twice and compare.",
            cell="none: the cells call each backward pass once"),
    Mistake("input_overwritten", "overwrites its input {what}",
            "Arithmetic that makes a new array leaves the old one as it was.",
            line=PURE,
            where="Look for an operation in place on {what}, or on a name that is only another "
                  "name for it.",
            tried="Compare {what} before and after the call.",
            cell="the gradient check that follows: its numbers are taken at the damaged input"),
    Mistake("dout_overwritten",
            "writes its result into dout itself; right, but the caller's gradient is gone",
            "A copy costs little.", where="Compare dout before and after.",
            tried="Is dout used again by the caller?", cell="none", severity="remark"),
    Mistake("dtype_leak", "turns float32 into float64: right, but twice the memory and time",
            "A result has the dtype of its inputs unless a float64 array joins in.",
            where="Look for arrays made by np.zeros or np.ones without a dtype.",
            tried="Print dtypes along the way.", cell="none: no cell looks at dtypes",
            severity="remark"),
    Mistake("single_precision",
            "is right only to seven digits: somewhere the numbers pass through float32",
            "A gradient check subtracts nearly equal numbers: float32 has too few digits for it.",
            where="Look for astype(np.float32), or an array made with that dtype.",
            tried="Print the dtype of each intermediate array.", cell=GRADIENT_CHECK),
    Mistake("unexplained", "{what} is wrong, and the reason is none of the known ones",
            "`normlab explain {function}` shows every intermediate gradient to compare with.",
            where="Start from what is known, below.",
            tried="Check each intermediate array by finite differences.",
            cell="the check of this function"),
    Mistake("only_where_sizes_differ",
            "{what} is right unless two sizes happen to be equal: an axis is guessed from the "
            "sizes",
            "Which axis is meant is known beforehand; N = D changes nothing.",
            where="Look for a comparison of shapes.",
            tried="Use as many examples as features.", cell="none: N and D differ in every cell"),
    Mistake("not_finite", "{what} holds NaN or infinity", "var + eps is never zero.",
            where="Look for a division by something that may be zero, or a root of something "
                  "negative.",
            tried="Print the smallest and largest value of each intermediate array.",
            cell="the check of this function"),
    Mistake("no_cache", "its forward pass returns no cache",
            "Backward can only use what forward kept.",
            where="Look at what the forward pass returns in training.", tried="Print the cache."),
))  # fmt: skip
