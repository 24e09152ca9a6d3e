# ruff: noqa: E501
# sentences and formulas are kept whole
"""Mistakes in the wiring of whole nets."""

from __future__ import annotations

from normlab.checker.faults.record import NO_LAYER_NORM_NET, Fault

FORWARD = "{{affine – [norm] – ReLU – [dropout]}} × (L − 1) – affine – softmax"
LOSS = "L = data loss + (reg/2)·Σ W²   (weights only)"
GRADIENT = "∂L/∂W = data gradient + reg·W   (weights only)"
CHECK = "the gradient check of the net"
TRY = "Check the gradients with random γ, β and biases, not at their first values."

ENTRIES: tuple[tuple[str, str, str, str, str, str], ...] = (
    # key, sentence, line, try, asked, cell
    ("no_params", "has no dict `params`", "self.params", "Print net.params.", "The Solver reads and writes params.", CHECK),
    ("keys", "its params have other names than W1, b1, W2, …", "self.params", "Print sorted(net.params).", "The docstring gives the names.",
     CHECK),
    ("keys_from_zero", "numbers its parameters from 0 (W0, b0, …); the assignment starts at 1", "self.params",
     "Print sorted(net.params).", "The first layer is W1, b1.", CHECK),
    ("norm_keys", "γ and β have other names than gamma1, beta1, …", "self.params", "Print sorted(net.params).",
     "The docstring gives the names.", CHECK),
    ("extra_keys", "has parameters that belong to no layer (often γ and β for the last layer, which is not normalized)", "self.params",
     "Print sorted(net.params).", "The last affine layer has no norm.", "none: a parameter that is never used moves nothing"),
    ("parameter_shape", "{what} has the wrong shape", "W is (fan in, fan out)", "Print the shapes.", "Layer by layer.", CHECK),
    ("gamma_not_ones", "γ does not start at one", "x̂ passes unchanged at first: γ = 1, β = 0", "Print the first γ.",
     "With γ = 0 nothing passes at all.", CHECK),
    ("bias_not_zero", "{what} does not start at zero", "biases start at 0", "Print the first biases.", "Only W is random.", CHECK),
    ("weight_scale_ignored", "the weights are not scaled by weight_scale", "W = weight_scale · randn", "Print W1.std().",
     "The spread of the first weights is weight_scale.", CHECK),
    ("gradient_keys", "grads lacks the gradient of a parameter", "one gradient for each parameter", "Compare sorted(grads) and sorted(params).",
     "The Solver takes grads[name] for each name in params.", CHECK),
    ("gradient_shape", "a gradient has another shape than its parameter", "a gradient has its parameter's shape", "Print both shapes.",
     "Optimizer states take the gradient's shape.", "none: (1, D) broadcasts"),
    ("norm_ignored", "normalization={kind!s} changes nothing: the net is the plain one", FORWARD, "Print the loss with and without it.",
     "__init__, the forward pass and the backward pass all have to ask for it.", NO_LAYER_NORM_NET),
    ("norm_after_relu", "the norm comes after ReLU instead of before it", FORWARD, TRY, "affine, norm, ReLU, in this order.", CHECK),
    ("norm_on_scores", "the scores are normalized too", FORWARD, TRY, "The last affine layer has neither norm nor ReLU.", CHECK),
    ("batch_norm_for_layer_norm", "with normalization='layernorm' the net uses batch norm", FORWARD,
     "Compare the loss of one example alone and in a batch.", "Layer norm treats each example by itself.", NO_LAYER_NORM_NET),
    ("layer_norm_for_batch_norm", "with normalization='batchnorm' the net uses layer norm", FORWARD, TRY,
     "Batch norm's statistics are over the batch.", CHECK),
    ("relu_on_scores", "the scores pass through ReLU", FORWARD, "Are there negative scores?", "The last affine layer has no ReLU.", CHECK),
    ("relu_missing", "the hidden layers have no ReLU", FORWARD, "Is the net linear in x?", "affine, norm, ReLU.", CHECK),
    ("bias_ignored", "the biases are not used", FORWARD, TRY, "Each affine layer has its b.", "none: biases start at zero"),
    ("reg_loss_half_missing", "the factor 1/2 of the regularization is missing in the loss", LOSS, "Compare loss(reg=1) − loss(reg=0).",
     "Half, so that the gradient is reg·W.", "the loss at reg = 3.14"),
    ("reg_loss_missing", "the regularization is missing in the loss", LOSS, "Compare loss(reg=1) and loss(reg=0).",
     "Loss and gradient belong together.", "the loss at reg = 3.14"),
    ("reg_loss_last_only", "only the last W is regularized in the loss", LOSS, "Compare loss(reg=1) − loss(reg=0).",
     "Every W is in the sum.", "the loss at reg = 3.14"),
    ("reg_loss_first_only", "only the first W is regularized in the loss", LOSS, "Compare loss(reg=1) − loss(reg=0).",
     "Every W is in the sum.", "the loss at reg = 3.14"),
    ("reg_loss_quarter", "the regularization in the loss is half of what it should be", LOSS, "Compare loss(reg=1) − loss(reg=0).",
     "One factor of 1/2, once.", "the loss at reg = 3.14"),
    ("biases_regularized", "the biases are regularized", LOSS, TRY, "Only the weights are.", "none: biases start at zero"),
    ("norm_parameters_regularized", "γ and β are regularized", LOSS, TRY, "Only the weights are.", "the loss at reg = 3.14"),
    ("all_parameters_regularized", "biases, γ and β are regularized", LOSS, TRY, "Only the weights are.", "the loss at reg = 3.14"),
    ("reg_gradient_missing", "the regularization is missing in the gradients", GRADIENT, "Compare grads(reg=1) − grads(reg=0) with W.",
     "Each dW gets reg·W.", "the gradients at reg = 3.14"),
    ("reg_gradient_summed", "the gradients get reg·ΣW, one number for all entries, instead of reg·W", GRADIENT,
     "Compare grads(reg=1) − grads(reg=0) with W.", "Each entry is pulled by itself: dW gets reg·W, of W's shape.",
     "the gradients at reg = 3.14"),
    ("reg_gradient_hidden_missing", "the regularization is missing in the gradients of the hidden layers", GRADIENT,
     "Compare grads(reg=1) − grads(reg=0) with W.", "Each dW gets reg·W.", "the gradients at reg = 3.14"),
    ("reg_gradient_last_missing", "the regularization is missing in the last layer's gradient", GRADIENT,
     "Compare grads(reg=1) − grads(reg=0) with W.", "Each dW gets reg·W.", "the gradients at reg = 3.14"),
    ("reg_gradient_first_missing", "the regularization is missing in the first layer's gradient", GRADIENT,
     "Compare grads(reg=1) − grads(reg=0) with W.", "Each dW gets reg·W.", "the gradients at reg = 3.14"),
    ("reg_gradient_half", "the gradients get reg·W/2 instead of reg·W", GRADIENT, "Compare grads(reg=1) − grads(reg=0) with W.",
     "The derivative of W²/2 is W.", "the gradients at reg = 3.14"),
    ("reg_gradient_double", "the gradients get 2·reg·W instead of reg·W", GRADIENT, "Compare grads(reg=1) − grads(reg=0) with W.",
     "The derivative of W²/2 is W.", "the gradients at reg = 3.14"),
    ("backward_order", "backward goes through the norm before ReLU: the order is not reversed", "backward is forward, reversed", TRY,
     "What came last in forward comes first in backward.", CHECK),
    ("norm_backward_missing", "backward leaves the norm out", "backward is forward, reversed", TRY, "Each step forward has its step back.",
     CHECK),
    ("relu_backward_missing", "backward leaves ReLU out", "backward is forward, reversed", TRY, "Each step forward has its step back.", CHECK),
    ("relu_cache_before_norm", "ReLU's backward uses the values before the norm for its mask", "dz = da where z > 0, z after the norm", TRY,
     "The mask belongs to what ReLU really got.", CHECK),
    ("norm_keys_swapped", "the gradients of γ and β are stored under each other's names", "grads['gamma1'] = dγ₁", TRY,
     "The norm's backward returns dx, dγ, dβ.", CHECK),
    ("wrong_cache", "a layer's backward gets the cache of another layer", "backward is forward, reversed",
     "Use hidden layers of different widths.", "Layer i goes back with what layer i kept.", CHECK),
    ("shared_bn_param", "all layers share one bn_param, and so one set of running statistics", "one bn_param for each norm",
     "Use hidden layers of different widths.", "Each norm has running statistics of its own size.", "the net with batch norm (a ValueError)"),
    ("raises_with_norm", "raises with normalization={kind!s}", FORWARD, "Build a net with one hidden layer and follow it.",
     "Each norm has γ and β of its layer's width.", CHECK),
    ("raises_with_dropout", "raises with dropout", FORWARD, "Build a net with one hidden layer and follow it.",
     "Dropout comes after ReLU.", "the net with dropout"),
    ("gradients_unexplained", "the loss is right and its gradients are not ({kind!s})", "backward is forward, reversed", TRY,
     "Check each gradient against finite differences of the loss.", CHECK),
    ("test_mode_missing", "in test mode the scores depend on the rest of the batch: the norm never sees mode='test'",
     "test mode: running statistics", "Compare loss(X)[:3] with loss(X[:3]).",
     "loss(X) without labels is test mode, and each bn_param has to be told.", "none: no cell asks"),
    ("dropout_ignored", "dropout changes nothing in training", FORWARD, "Print the loss with and without dropout.",
     "Dropout comes after ReLU, in training.", "the net with dropout"),
    ("dropout_in_test_mode", "units are dropped in test mode too", FORWARD, "Call loss(X) twice.", "Test mode drops nothing.", "none"),
    ("dropout_backward_skipped", "with dropout the gradients are wrong: dropout's backward is left out or gets another mask",
     "backward is forward, reversed", "Check the gradients with dropout and a fixed seed.", "Each step forward has its step back.",
     "the net with dropout"),
)  # fmt: skip

NETS = {
    key: Fault(sentence, line, ("Follow one batch through the net, forward and back.", tried, asked), cell)
    for key, sentence, line, tried, asked, cell in ENTRIES
}
NETS["draw_order"] = Fault(
    "draws its first weights in another order than W1, W2, …: right, but the printed losses of the notebook will not come out",
    "W = weight_scale · randn", ("A convention.",) * 3, "the initial loss", severity="convention")  # fmt: skip
