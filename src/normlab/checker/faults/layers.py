# ruff: noqa: E501
# sentences and formulas are kept whole
"""Mistakes in affine layers, ReLU, dropout, the losses and pooling."""

from __future__ import annotations

from normlab.checker.faults.record import BROADCAST, Fault

AFFINE_LINE = "out = x·w + b, with x flattened to (N, D) row by row"
AFFINE_CELL = "Affine layer: forward"
AFFINE_BACK_CELL = "Affine layer: backward"

AFFINE_FORWARD = {
    "bias_missing": Fault("the bias b is not added", AFFINE_LINE, (
        "Which of the three inputs does the output not depend on?", "Change b and see whether the output moves.",
        "Every row of the product gets the same b added."), AFFINE_CELL),
    "bias_sign": Fault("the bias b is subtracted instead of added", AFFINE_LINE, (
        "Look at the sign of b.", "Set x to zero: the output should be b.", "out is x·w plus b."), AFFINE_CELL),
    "bias_twice": Fault("the bias b is added twice", AFFINE_LINE, (
        "Count how often b enters.", "Set x to zero: the output should be b.", "out is x·w plus b, once."), AFFINE_CELL),
    "wrong_memory_order": Fault(
        "x is flattened in the wrong order: the values of different examples are mixed", AFFINE_LINE, (
            "Look at how x becomes two-dimensional.", "Flatten np.arange(24).reshape(2, 3, 4) by hand: row 0 must hold 0 to 11.",
            "Each example keeps its own row, and its values their order in memory."), AFFINE_CELL),
    "not_flattened": Fault(
        "x with more than two axes is not flattened (for plain (N, D) input it is right)", AFFINE_LINE, (
            "What does the product do with an x of shape (N, d1, d2)?", "Call it with x of shape (2, 3, 4) and w of shape (12, 5).",
            "Before the product x has one row an example, with all of that example's values in it."),
        "Affine layer: forward (a ValueError); fully-connected nets pass, their x is flat"),
}  # fmt: skip


def _affine_backward() -> dict[str, Fault]:
    lines = {"dx": "∂L/∂x = dout·wᵀ, in the shape of x", "dw": "∂L/∂w = xᵀ·dout", "db": "∂L/∂b = Σₙ dout[n]"}
    entries = {}
    for name, line in lines.items():
        where = f"Look at {name} alone; the other two gradients are judged by themselves."
        for key, sentence, tried, asked in (
            ("divided_by_n", "is divided by N, the number of examples", "Repeat every example twice: {g} must double.",
             "The loss already holds the 1/N; a layer adds none."),
            ("times_n", "is N times too large", "Repeat every example twice and watch {g}.", "No factor of N belongs here."),
            ("sign", "has the wrong sign", "Take a one-by-one example and do it by hand.", "The derivative of x·w is plus."),
            ("divided_by_count", "is divided by a number of features", "Change D and M and watch {g}.",
             "No average is taken in an affine layer."),
            ("factor_two", "is off by a factor of two", "Take a one-by-one example and do it by hand.",
             "The product rule leaves no 2 here."),
        ):  # fmt: skip
            entries[f"{name}_{key}"] = Fault(
                f"{name} {sentence}", line, (where, tried.format(g=name), asked), AFFINE_BACK_CELL
            )
    db = "∂L/∂b[m] = Σₙ dout[n, m], of shape (M,)"
    entries |= {
        "db_keepdims": Fault("db has shape (1, M); b has (M,)", db, (
            "Compare the shapes of b and db.", "Print db.shape.", "The sum over examples removes that axis."), BROADCAST),
        "db_wrong_axis": Fault("db is summed over the outputs instead of over the examples", db, (
            "Over which axis does the same b enter many times?", "Use N different from M and print db.shape.",
            "b is shared by all examples, so their gradients add up."), AFFINE_BACK_CELL),
        "db_whole_array": Fault("db is one number: the sum runs over the whole of dout", db, (
            "Compare the shapes of b and db.", "Print db.", "Each output has its own bias, and its own sum over examples."),
            AFFINE_BACK_CELL),
        "db_not_summed": Fault("db is dout itself: it is not summed over the examples", db, (
            "Compare the shapes of b and db.", "Print db.shape.", "b is shared by all examples, so their gradients add up."),
            AFFINE_BACK_CELL),
        "db_ones": Fault("db does not depend on dout", db, (
            "Change dout and watch db.", "Set dout to zero: every gradient must vanish.", "Each gradient is linear in dout."),
            AFFINE_BACK_CELL),
        "dx_w_not_transposed": Fault("dx uses w where its transpose is needed", "∂L/∂x = dout·wᵀ", (
            "Write down the shapes of dout, w and dx.", "Use D different from M: which product is possible?",
            "The gradient runs through the layer the other way: from M numbers back to D."), AFFINE_BACK_CELL),
        "dx_not_reshaped": Fault(
            "dx is flat, (N, D), where x has more axes (dx is not brought back, or the cache holds the flattened x)",
            "dx has the shape of x", (
                "Compare dx.shape with x.shape.", "Call it with x of shape (2, 3, 4).",
                "The cache must still know what shape x had, and dx must take it."),
            "Affine layer: backward; fully-connected nets pass, their x is flat"),
    }  # fmt: skip
    return entries


AFFINE_BACKWARD = _affine_backward()

RELU = "out = max(0, x), element by element"
RELU_BACK = "∂L/∂x = dout where x > 0, and 0 elsewhere"


def _relu(entries: dict[str, tuple[str, str]], line: str, cell: str) -> dict[str, Fault]:
    return {
        key: Fault(sentence, line, (
            "Look at what happens to negative values.", "Try x = [-2, -1, 1, 2] and dout = [10, -20, 30, -40] by hand.", asked), cell)
        for key, (sentence, asked) in entries.items()
    }  # fmt: skip


RELU_FORWARD = _relu({
    "absolute_value": ("takes the absolute value instead of cutting negative values off", "Negative values become 0."),
    "leaky": ("lets a small part of negative values through (a leaky ReLU)", "The slope for negative values is 0."),
    "identity": ("returns x unchanged", "Negative values become 0."),
    "mask_for_value": ("returns the mask x > 0 instead of the values", "Positive values stay as they are."),
    "minimum": ("keeps the negative values instead of the positive ones", "It is the larger of 0 and x."),
    "whole_maximum": ("takes one maximum of the whole array", "Each element is compared with 0 by itself."),
}, RELU, "ReLU: forward")  # fmt: skip

RELU_BACKWARD = _relu({
    "mask_of_dout": ("the mask is made from dout instead of x", "Whether a unit was on is decided by x alone."),
    "mask_inverted": ("the mask is inverted: gradients pass where x is negative", "Gradients pass where x is positive."),
    "no_mask": ("dout passes everywhere: there is no mask", "Where x was cut off, the output does not depend on x."),
    "times_value": ("dout is multiplied by the value of x instead of by the mask", "The slope is 1 where x > 0, whatever x is."),
    "leaky": ("a small slope is left for negative x", "The slope for negative values is 0."),
    "dout_missing": ("returns the mask alone: dout is forgotten", "The chain rule multiplies by dout."),
    "dout_squared": ("dout enters twice", "A gradient is linear in dout."),
    "sign": ("has the wrong sign", "The slope for positive x is +1."),
}, RELU_BACK, "ReLU: backward")  # fmt: skip
RELU_BACKWARD["gradient_at_zero"] = Fault(
    "uses slope 1 at x = 0 exactly; either choice is right", RELU_BACK, ("Nothing needs to change.",) * 3,
    "none: x is never exactly 0 there", severity="convention")  # fmt: skip

LOSS_LINE = "L = −(1/N)·Σₙ log p[n, yₙ] (softmax); L = (1/N)·Σₙ Σ_{{j≠yₙ}} max(0, xₙⱼ − x[n, yₙ] + 1) (SVM)"
GRADIENT_LINE = "∂L/∂x = (p − onehot(y))/N (softmax); (1 for each positive margin, −their count at yₙ)/N (SVM)"


def _losses(entries: dict[str, tuple[str, str]], line: str) -> dict[str, Fault]:
    return {
        key: Fault(sentence, line, (
            "Look at the loss first, then at its gradient; they are judged together.",
            "Take two examples with three classes and do it by hand.", asked), "Loss layers: softmax and SVM")
        for key, (sentence, asked) in entries.items()
    }  # fmt: skip


LOSSES = {
    **_losses({
        "loss_not_averaged": ("the loss is summed over the examples, not averaged", "The loss is a mean over N examples."),
        "loss_divided_by_classes": ("the loss is divided by the number of classes instead of examples", "Divide by N."),
        "loss_sign": ("the loss has the wrong sign", "A loss falls when the right class gets more probable."),
        "log_of_columns": ("the loss picks whole columns: every example's log probability of every label",
                           "Pick one entry a row: example n's own label."),
        "shift_wrong_axis": ("the largest score is taken over the examples instead of over the classes",
                             "Each row is shifted by its own largest score."),
        "normalizer_wrong_axis": ("probabilities are normalized over the examples instead of over the classes",
                                  "Each row of probabilities sums to 1."),
        "normalizer_whole_array": ("probabilities are normalized over the whole array", "Each row of probabilities sums to 1."),
        "correct_not_zeroed": ("the margin of the correct class itself is counted: the loss is 1 too large",
                               "The sum leaves j = y out."),
        "correct_not_column": ("the correct scores are not subtracted row by row", "Row n loses its own correct score."),
        "margin_missing": ("the margin of 1 is forgotten", "A class counts unless it is lower by at least 1."),
        "margin_sign": ("the margin has the wrong sign", "A class counts unless it is lower by at least 1."),
    }, LOSS_LINE),
    **_losses({
        "gradient_not_averaged": ("the gradient is not divided by N", "What the loss averages, its gradient averages."),
        "gradient_divided_by_classes": ("the gradient is divided by the number of classes instead of examples", "Divide by N."),
        "gradient_divided_by_n_and_c": ("the gradient is divided by N and by the number of classes", "Divide by N only."),
        "gradient_without_target": ("the gradient lacks the −1 at the correct class", "It is p minus the one-hot label."),
        "gradient_of_columns": ("the −1 lands in whole columns instead of one entry a row",
                                "Pick one entry a row: example n's own label."),
        "gradient_plus_one": ("the gradient has +1 at the correct class instead of −1", "It is p minus the one-hot label."),
        "gradient_sign": ("the gradient has the wrong sign", "Downhill must lower the loss."),
        "count_not_subtracted": ("the gradient at the correct class is missing", "Each positive margin also holds −x at y."),
        "minus_one_for_count": ("the gradient at the correct class is −1 instead of minus the number of positive margins",
                                "Every positive margin pushes the correct score up once."),
        "count_overwrites": ("the gradient at the correct class is overwritten by −1",
                             "Every positive margin pushes the correct score up once."),
    }, GRADIENT_LINE),
    "no_shift": Fault(
        "scores of order 1,000 overflow: the largest score of a row is not taken off before exp",
        "softmax(x) = softmax(x − max x)", (
            "What is exp(1000)?", "Add 1000 to every score: nothing should change.",
            "Subtracting the same number from a row leaves its probabilities as they are."),
        "none: all scores there are small", severity="robustness"),
    "shift_of_whole_array": Fault(
        "takes one maximum for the whole array: right, until rows lie very far apart", "softmax(x) = softmax(x − max x)",
        ("Each row may have its own shift.", "Move one row down by 2000.", "A row far below the maximum loses all its digits."),
        "none", severity="remark"),
    "small_constant": Fault(
        "is right to about seven digits: a small constant in the logarithm, or float32 on the way", LOSS_LINE,
        ("Nothing needs to change.", "Compare with the formula to ten digits.", "Shifting each row by its maximum needs no constant."),
        "none: the cells print fewer digits", severity="remark"),
    "infinite_loss": Fault(
        "gives an infinite loss for scores of order 1,000, with a right gradient", "log p = x − log Σ exp x",
        ("What is the log of a probability that underflows?", "Multiply the scores by 1000.",
         "The logarithm can be taken before the exponential loses its digits."),
        "none: the course's own softmax_loss does the same", severity="remark"),
}  # fmt: skip

DROPOUT_LINE = "out = x·mask/keep in training, out = x in testing"
DROPOUT_CELL = "Dropout forward pass"


def _dropout(entries: dict[str, tuple[str, str]], line: str, cell: str) -> dict[str, Fault]:
    return {
        key: Fault(sentence, line, (
            "Measure: which fraction survives, and by what is it multiplied?",
            "Use p = 0.2 and p = 0.8 on an array of ones, and look at the mean in training and in testing.", asked), cell)
        for key, (sentence, asked) in entries.items()
    }  # fmt: skip


DROPOUT_FORWARD = {
    **_dropout({
        "mask_inverted": ("the mask is inverted: the fraction kept and the scale do not belong together",
                          "If a fraction q survives, the survivors are divided by q."),
        "not_inverted": ("the survivors are not scaled up: the mean in training is smaller than in testing",
                         "This is inverted dropout: the scaling happens in training, so that testing is the identity."),
        "keep_and_drop_confused": ("p is used as the probability of dropping, and the docstring says that it is kept",
                                   "With p = 0.8 most units must survive."),
        "normal_for_uniform": ("the mask is drawn from normal numbers instead of uniform ones",
                               "A uniform number is below p with probability p; a normal one is not."),
        "whole_columns": ("whole rows or columns are dropped together: the mask has too few entries",
                          "Each element of x is dropped by itself."),
        "nothing_dropped": ("nothing is dropped in training", "In training a part of the units is set to zero."),
        "scale": ("the survivors are multiplied by the wrong factor", "If a fraction q survives, divide by q."),
        "test_scaled": ("test mode multiplies by p", "With inverted dropout nothing is left to do in testing."),
        "test_not_identity": ("test mode is not the identity", "With inverted dropout nothing is left to do in testing."),
    }, DROPOUT_LINE, DROPOUT_CELL),
    "p_drops": Fault("p is the probability of dropping a unit (the years until 2017)", DROPOUT_LINE,
                     ("Nothing needs to change.",) * 3, "", severity="convention"),
    "p_keeps_against_docstring": Fault("p is the probability of keeping a unit, though the docstring says that it drops",
                                       DROPOUT_LINE, ("Decide which one you mean.",) * 3, "", severity="convention"),
    "seed_ignored": Fault("does not use the seed in dropout_param: the gradient check will see two different masks",
                          DROPOUT_LINE, ("Look at the key 'seed'.", "Call it twice with one seed.",
                                         "A seed makes the mask repeatable."), DROPOUT_CELL, severity="remark"),
}  # fmt: skip
DROPOUT_BACKWARD = _dropout({
    "mask_unscaled": ("dout passes the mask without its scale", "What forward multiplied by, backward multiplies by."),
    "mask_inverted": ("gradients pass where units were dropped", "What forward multiplied by, backward multiplies by."),
    "no_mask": ("dout passes unchanged: there is no mask", "A unit that was dropped has no influence, and no gradient."),
    "scaled_twice": ("the scale 1/keep enters twice", "What forward multiplied by, backward multiplies by, once."),
    "scaled_by_p": ("dout is multiplied by p as well", "The mask holds the whole factor."),
    "test_gradient": ("in test mode dx is not dout", "In test mode the layer is the identity."),
}, "∂L/∂x = dout·mask/keep", "Dropout backward pass")  # fmt: skip

POOLING = {
    "overlap_overwritten": Fault(
        "where windows overlap, one gradient overwrites the other", "∂L/∂x = Σ over the windows in which x is the maximum",
        ("What happens to an entry that is the maximum of two windows?", "Use stride 1 and a window of 3.",
         "Gradients that arrive at the same entry add up."),
        "none: in every cell the stride is the window's size"),
    "ties_to_all": Fault("gives a tie's gradient to every maximum of the window; a choice that doubles it",
                         "∂L/∂x at the maximum", ("Try a constant window.",) * 3, "none", severity="convention"),
}  # fmt: skip
