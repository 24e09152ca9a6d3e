"""Mistakes in the wiring of whole nets, each with what stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from normlab.checker.mistakes.record import NO_LAYER_NORM_NET, Mistake

FORWARD = "{{affine – [norm] – ReLU – [dropout]}} × (L − 1) – affine – softmax"
BACKWARD = "backward is forward, reversed"
CHECK = "the gradient check of the net"
TRY = "Check the gradients with random γ, β and biases, not at their first values."
TRY_PARAMS = "Print sorted(net.params)."

_params = partial(
    Mistake, sought=(r"params",), line="self.params",
    where="Look at __init__, where params is filled.",
    tried=TRY_PARAMS, cell=CHECK,
)  # fmt: skip
PARAMETERS = (
    _params("no_params", "has no dict `params`", "The Solver reads and writes params.",
            tried="Print net.params."),
    _params("keys", "its params have other names than W1, b1, W2, …",
            "The docstring gives the names."),
    _params("keys_from_zero",
            "numbers its parameters from 0 (W0, b0, …); the assignment starts at 1",
            "The first layer is W1, b1.", severity="robustness"),
    _params("keys_renamed",
            "its params have other names than W1, b1, W2, …; the rest is judged under these names",
            "The docstring gives the names.", severity="robustness"),
    _params("norm_keys", "γ and β have other names than gamma1, beta1, …",
            "The docstring gives the names."),
    _params("extra_keys",
            "has parameters that belong to no layer (often γ and β for the last layer, which is "
            "not normalized)",
            "The last affine layer has no norm.",
            cell="none: a parameter that is never used moves nothing",
            severity="robustness"),
    _params("parameter_shape", "{what} has the wrong shape", "Layer by layer.",
            line="W is (fan in, fan out)",
            tried="Print the shapes."),
    _params("parameter_keepdims", "{what} has shape (1, D) instead of (D,)",
            "b, γ and β are vectors.",
            line="b is (D,)", tried="Print the shapes.", cell="none: (1, D) broadcasts",
            severity="robustness"),
    _params("gamma_not_ones", "γ does not start at one", "With γ = 0 nothing passes at all.",
            line="x̂ passes unchanged at first: γ = 1, β = 0", tried="Print the first γ."),
    _params("bias_not_zero", "{what} does not start at zero", "Only W is random.",
            line="biases start at 0",
            tried="Print the first biases."),
    _params("weight_scale_ignored", "the weights are not scaled by weight_scale",
            "The spread of the first weights is weight_scale.", line="W = weight_scale · randn",
            tried="Print W1.std()."),
    Mistake("draw_order",
            "draws its first weights in another order than W1, W2, …: right, but the printed "
            "losses of the "
            "notebook will not come out", "A convention.", line="W = weight_scale · randn",
            where="A convention.",
            tried="A convention.", cell="the initial loss", severity="convention"),
    Mistake("gradient_keys", "grads lacks the gradient of a parameter",
            "The Solver takes grads[name] for each name in params.",
            line="one gradient for each parameter",
            where="Look at what grads is filled with.",
            tried="Compare sorted(grads) and sorted(params).", cell=CHECK),
    Mistake("gradient_shape", "a gradient has another shape than its parameter",
            "Optimizer states take the gradient's shape.",
            line="a gradient has its parameter's shape",
            where="Look at the shapes in grads.", tried="Print both shapes.",
            cell="none: (1, D) broadcasts",
            severity="robustness"),
)  # fmt: skip


def _only_with_norm(given: str | None) -> None:
    """No norm at all; there is nothing to ignore where none is asked for."""
    if given is None:
        raise ValueError("no norm to ignore")


def _the_other(given: str | None, expected: str = "") -> str:
    if given is None or (expected and given != expected):
        raise ValueError("another norm")
    return "batchnorm" if given == "layernorm" else "layernorm"


_wiring = partial(
    Mistake,
    sought=(r"_forward\(",),
    line=FORWARD,
    where="Follow one batch forward through the net.",
    tried=TRY,
    cell=CHECK,
)
_back = partial(
    Mistake, sought=(r"_backward\(",), line=BACKWARD,
    where="Follow dout back through the net, layer by layer.", tried=TRY,
    cell=CHECK,
)  # fmt: skip
WIRING = (
    _wiring("norm_ignored", "normalization={kind!s} changes nothing: the net is the plain one",
            "__init__, the forward pass and the backward pass all have to ask for it.",
            tried="Print the loss with and without it.", cell=NO_LAYER_NORM_NET,
            wrong={"kind": _only_with_norm}),
    _wiring("norm_after_relu", "the norm comes after ReLU instead of before it",
            "affine, norm, ReLU, in this order.",
            wrong={"norm_after": True}),
    _wiring("batch_norm_for_layer_norm", "with normalization='layernorm' the net uses batch norm",
            "Layer norm treats each example by itself.",
            tried="Compare the loss of one example alone and in a batch.", cell=NO_LAYER_NORM_NET,
            wrong={"kind": lambda given: _the_other(given, "layernorm")}),
    _wiring("layer_norm_for_batch_norm", "with normalization='batchnorm' the net uses layer norm",
            "Batch norm's statistics are over the batch.",
            wrong={"kind": lambda given: _the_other(given, "batchnorm")}),
    _wiring("norm_on_scores", "the scores are normalized too",
            "The last affine layer has neither norm nor ReLU.",
            wrong={"scores_norm": True}),
    _wiring("relu_on_scores", "the scores pass through ReLU", "The last affine layer has no ReLU.",
            tried="Are there negative scores?", wrong={"scores_relu": True}),
    _wiring("relu_missing", "the hidden layers have no ReLU", "affine, norm, ReLU.",
            tried="Is the net linear in x?",
            wrong={"relu": False}),
    _wiring("bias_ignored", "the biases are not used", "Each affine layer has its b.",
            cell="none: biases start at zero", wrong={"bias": False}),
    _wiring("layer_skipped",
            "the last hidden layer is left out: the scores come from the layer before it",
            "Every layer is passed, W1 to the last.", wrong={"skipped": True}),
    _wiring("svm_for_softmax", "the loss is the SVM's instead of softmax's",
            "The assignment asks for softmax.",
            line="L = −mean log softmax(scores)[y]", where="Look at the call of the loss.",
            wrong={"svm": True}),
    _back("norm_backward_of_other_kind",
          "with normalization={kind!s} the forward pass is right and backward goes through the "
          "other norm",
          "Each step forward has its own step back.", cell=NO_LAYER_NORM_NET,
          wrong={"back_kind": _the_other}),
    _back("backward_order", "backward goes through the norm before ReLU: the order is not reversed",
          "What came last in forward comes first in backward.", wrong={"norm_first": True}),
    _back("norm_backward_missing", "backward leaves the norm out",
          "Each step forward has its step back.",
          wrong={"norm_back": False}),
    _back("relu_backward_missing", "backward leaves ReLU out",
          "Each step forward has its step back.",
          wrong={"relu_back": False}),
    _back("relu_cache_before_norm", "ReLU's backward uses the values before the norm for its mask",
          "The mask belongs to what ReLU really got.", line="dz = da where z > 0, z after the norm",
          wrong={"mask": lambda a, z: a > 0}),
    _back("scores_relu_backward",
          "the gradient of the scores passes through a ReLU that forward does not have",
          "The last affine layer has no ReLU.", wrong={"scores_mask": True}),
    _back("norm_keys_swapped", "the gradients of γ and β are stored under each other's names",
          "The norm's backward returns dx, dγ, dβ.", line="grads['gamma1'] = dγ₁",
          wrong={"keys": lambda dgamma, dbeta: (dbeta, dgamma)}),
    _back("wrong_cache", "a layer's backward gets the cache of another layer",
          "Layer i goes back with what layer i kept.",
          tried="Use hidden layers of different widths.",
          wrong=({"caches": -1}, {"caches": 1})),
    _back("stopped_early", "the gradient does not reach the layer below: dout is not passed on",
          "Each layer's dx is the dout of the layer below.",
          wrong=({"passed": lambda dout, dx: dout}, {"passed": lambda dout, dx: 0 * dx})),
    _wiring("shared_bn_param",
            "all layers share one bn_param, and so one set of running statistics",
            "Each norm has running statistics of its own size.", line="one bn_param for each norm",
            tried="Use hidden layers of different widths.",
            cell="the net with batch norm (a ValueError)"),
    _wiring("raises_with_norm", "raises with normalization={kind!s}",
            "Each norm has γ and β of its layer's width.",
            tried="Build a net with one hidden layer and follow it."),
    _wiring("raises_with_dropout", "raises with dropout", "Dropout comes after ReLU.",
            tried="Build a net with one hidden layer and follow it.", cell="the net with dropout"),
    _back("gradients_unexplained", "the loss is right and its gradients are not ({kind!s})",
          "Check each gradient against finite differences of the loss."),
    _wiring("norm_unwritten",
            "normalization={kind!s} is not written yet: params holds no γ, and the loss is the "
            "plain "
            "net's; the rest is judged",
            "__init__, the forward pass and the backward pass all have to ask for it.",
            severity="none", cell=NO_LAYER_NORM_NET),
)  # fmt: skip

_mode = partial(
    Mistake,
    sought=(r"mode",),
    where="Look at how test mode reaches each layer.",
    cell="none: no cell asks",
)
MODES = (
    _mode("test_mode_missing",
          "in test mode the scores depend on the rest of the batch: the norm never sees "
          "mode='test'",
          "loss(X) without labels is test mode, and each bn_param has to be told.",
          line="test mode: running statistics", tried="Compare loss(X)[:3] with loss(X[:3])."),
    _mode("state_made_anew",
          "each pass starts from fresh running statistics: what training gathers is lost at the "
          "next pass",
          "Each norm keeps its bn_param from pass to pass.",
          line="running = momentum·running + (1 − momentum)·batch",
          where="Look at where the bn_params are made.",
          tried="Print a running mean after one pass and after ten."),
    _mode("dropout_in_test_mode", "units are dropped in test mode too", "Test mode drops nothing.",
          line=FORWARD,
          tried="Call loss(X) twice.", cell="none"),
    _mode("dropout_backward_skipped",
          "with dropout the gradients are wrong: dropout's backward is left out or gets another "
          "mask",
          "Each step forward has its step back.", line=BACKWARD,
          where="Follow dout back through dropout.",
          tried="Check the gradients with dropout and a fixed seed.", cell="the net with dropout"),
)  # fmt: skip

LOSS_LINE = "L = data loss + (reg/2)·Σ W²   (weights only)"
GRADIENT_LINE = "∂L/∂W = data gradient + reg·W   (weights only)"
TRY_LOSS = "Compare loss(reg=1) − loss(reg=0)."
TRY_GRADIENT = "Compare grads(reg=1) − grads(reg=0) with W."
AT_REG = "the loss at reg = 3.14"
Share = Callable[[tuple[float, ...]], bool]
"""Whether these multiples, one for each W, are the mistake's; 1 is right."""

_loss = partial(
    Mistake,
    sought=(
        r"loss.*reg",
        r"reg",
    ),
    line=LOSS_LINE,
    where="Look at the regularization in the loss.",
    tried=TRY_LOSS,
    cell=AT_REG,
)
_gradient = partial(
    Mistake, sought=(r"(grad|dW|dw).*reg", r"reg",), line=GRADIENT_LINE,
    where="Look at the regularization in the gradients.",
    tried=TRY_GRADIENT,
    cell="the gradients at reg = 3.14",
)  # fmt: skip
EVERY, EACH = "Every W is in the sum.", "Each dW gets reg·W."


def _all(value: float) -> Share:
    return lambda c: all(x == value for x in c)


def _is_last_only(c: tuple[float, ...]) -> bool:
    return len(c) > 1 and c[-1] == 1 and not any(c[:-1])


def _is_first_only(c: tuple[float, ...]) -> bool:
    return len(c) > 1 and c[0] == 1 and not any(c[1:])


def _is_last_missing(c: tuple[float, ...]) -> bool:
    return len(c) > 1 and c[-1] == 0 and all(x == 1 for x in c[:-1])


def _is_first_missing(c: tuple[float, ...]) -> bool:
    return len(c) > 2 and c[0] == 0 and all(x == 1 for x in c[1:])


def _is_some_missing(c: tuple[float, ...]) -> bool:
    return set(c) == {0, 1}


def _is_one_for_all(c: tuple[float, ...]) -> bool:
    return sorted(c) == [0.0] * (len(c) - 1) + [float(len(c))]


def _is_some_twice(c: tuple[float, ...]) -> bool:
    return set(c) == {1, 2}


REGULARIZED_LOSS = (
    _loss("reg_loss_missing", "the regularization is missing in the loss",
          "Loss and gradient belong together.",
          wrong={"share": _all(0)}),
    _loss("reg_loss_last_only", "only the last W is regularized in the loss", EVERY,
          wrong={"share": _is_last_only}),
    _loss("reg_loss_first_only", "only the first W is regularized in the loss", EVERY,
          wrong={"share": _is_first_only}),
    _loss("reg_loss_last_missing", "the last W is left out of the loss's regularization", EVERY,
          wrong={"share": _is_last_missing}),
    _loss("reg_loss_first_missing", "the first W is left out of the loss's regularization", EVERY,
          wrong={"share": _is_first_missing}),
    _loss("reg_loss_layers_missing", "some W are left out of the loss's regularization", EVERY,
          wrong={"share": _is_some_missing}),
    _loss("reg_loss_wrong_layer",
          "the loss adds the square of one and the same W for every layer: the index stands still",
          EVERY,
          wrong={"share": _is_one_for_all}),
    _loss("reg_loss_layers_twice", "some W are regularized twice in the loss",
          "Every W is in the sum, once.",
          wrong={"share": _is_some_twice}),
    _loss("reg_loss_uneven", "the loss regularizes the layers unequally",
          "Every W is in the sum, once.",
          wrong={"share": lambda c: True}),
)  # fmt: skip
REGULARIZED_GRADIENT = (
    _gradient("reg_gradient_missing", "the regularization is missing in the gradients", EACH,
              wrong={"share": _all(0)}),
    _gradient("reg_gradient_hidden_missing",
              "the regularization is missing in the gradients of the hidden layers",
              EACH, wrong={"share": _is_last_only}),
    _gradient("reg_gradient_last_missing",
              "the regularization is missing in the last layer's gradient", EACH,
              wrong={"share": _is_last_missing}),
    _gradient("reg_gradient_first_missing",
              "the regularization is missing in the first layer's gradient", EACH,
              wrong={"share": _is_first_missing}),
    _gradient("reg_gradient_layers_missing",
              "the regularization is missing in some layers' gradients", EACH,
              wrong={"share": _is_some_missing}),
    _gradient("reg_gradient_twice", "the regularization is added twice to some layers' gradients",
              "Each dW gets reg·W, once.", wrong={"share": _is_some_twice}),
    _gradient("reg_gradient_uneven", "the gradients are regularized unequally",
              "Each dW gets reg·W, once.",
              wrong={"share": lambda c: True}),
)  # fmt: skip
LOSS_FACTORS = (
    _loss("reg_loss_half_missing", "the factor 1/2 of the regularization is missing in the loss",
          "Half, so that the gradient is reg·W.", wrong={"factor": lambda n: 2.0}),
    _loss("reg_loss_quarter", "the regularization in the loss is half of what it should be",
          "One factor of 1/2, once.", wrong={"factor": lambda n: 0.5}),
    _loss("reg_loss_double", "the regularization in the loss is four times too large",
          "One factor of 1/2, once.",
          wrong={"factor": lambda n: 4.0}),
    _loss("reg_loss_averaged", "the regularization in the loss is divided by N as well",
          "Only the data loss is a mean over the examples.",
          wrong=({"factor": lambda n: 1 / n}, {"factor": lambda n: 2 / n})),
    _loss("reg_loss_sign", "the regularization is subtracted from the loss",
          "Large weights make the loss larger.",
          wrong={"factor": lambda n: -1.0}),
)  # fmt: skip
GRADIENT_FACTORS = (
    _gradient("reg_gradient_half", "the gradients get reg·W/2 instead of reg·W",
              "The derivative of W²/2 is W.",
              wrong={"factor": lambda n: 0.5}),
    _gradient("reg_gradient_double", "the gradients get 2·reg·W instead of reg·W",
              "The derivative of W²/2 is W.",
              wrong={"factor": lambda n: 2.0}),
    _gradient("reg_gradient_averaged",
              "the regularization in the gradients is divided by N as well",
              "Only the data loss is a mean over the examples.",
              wrong=({"factor": lambda n: 1 / n}, {"factor": lambda n: 2 / n})),
    _gradient("reg_gradient_sign", "the regularization is subtracted from the gradients",
              "The gradient of W²/2 is +W.", wrong={"factor": lambda n: -1.0}),
)  # fmt: skip
REGULARIZED_FORM = (
    _gradient("reg_gradient_summed",
              "the gradients get reg·ΣW, one number for all entries, instead of reg·W",
              "Each entry is pulled by itself: dW gets reg·W, of W's shape."),
    _gradient("reg_gradient_of_norm", "the gradients get the number Σ W² instead of the matrix W",
              "Each entry is pulled by itself: dW gets reg·W, of W's shape."),
    _gradient("reg_gradient_other", "what reg adds to a gradient is no multiple of its W",
              "Each entry is pulled by itself: dW gets reg·W, of W's shape."),
    _loss("reg_loss_of_sum", "the loss gets (ΣW)² instead of Σ W²",
          "Each entry is squared by itself."),
    _loss("reg_loss_unsquared", "the loss gets the norm of W without its square",
          "The squares are added up."),
    _loss("reg_loss_absolute", "the loss gets Σ|W| instead of Σ W²", "The squares are added up."),
    _loss("reg_loss_plain_sum", "the loss gets ΣW instead of Σ W²", "The squares are added up."),
    _loss("reg_loss_other", "what reg adds to the loss is no sum of squares of the parameters",
          "The squares of the weights are added up."),
    _loss("reg_not_proportional", "what the regularization adds is not proportional to reg",
          "reg is a plain factor."),
    _loss("biases_regularized", "the biases are regularized", "Only the weights are.", tried=TRY,
          cell="none: biases start at zero"),
    _loss("norm_parameters_regularized", "γ and β are regularized", "Only the weights are.",
          tried=TRY),
    _loss("all_parameters_regularized", "biases, γ and β are regularized", "Only the weights are.",
          tried=TRY),
)  # fmt: skip
REGULARIZATION = (
    *REGULARIZED_LOSS, *REGULARIZED_GRADIENT, *LOSS_FACTORS, *GRADIENT_FACTORS, *REGULARIZED_FORM,
)  # fmt: skip
