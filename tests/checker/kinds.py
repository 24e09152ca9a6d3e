"""Kinds of mistakes that real solutions had, each written out in several hands.

Each example replaces whole functions of a correct assignment; the first finding must name it.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """What is written instead of which functions, and the keys of which one must be the first answer."""

    id: str
    code: str
    function: str
    named: tuple[str, ...]


def _k(id: str, function: str, named: str, code: str) -> Kind:
    return Kind(id, code, function, tuple(named.split()))


ADAM = """
def adam(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-3)
    config.setdefault("beta1", 0.9)
    config.setdefault("beta2", 0.999)
    config.setdefault("epsilon", 1e-8)
    config.setdefault("m", np.zeros_like(w))
    config.setdefault("v", np.zeros_like(w))
    config.setdefault("t", 0)
    lr, b1, b2 = config["learning_rate"], config["beta1"], config["beta2"]
    m, v, t, eps = config["m"], config["v"], config["t"], config["epsilon"]
%s
    return next_w, config
"""


def _adam(id: str, named: str, body: str) -> Kind:
    lines = "\n".join(f"    {line.strip()}" for line in body.strip().split("\n"))
    return _k(f"adam: {id}", "adam", named, ADAM % lines)


OPTIMIZERS = [
    _adam("v under the names of m", "averages_exchanged", """
        t += 1
        m = b2 * m + (1 - b2) * dw * dw
        v = b1 * v + (1 - b1) * dw
        next_w = w - lr * v / (1 - b1 ** t) / (np.sqrt(m / (1 - b2 ** t)) + eps)
        config.update(m=m, v=v, t=t)"""),
    _adam("follows v", "second_for_first", """
        t = t + 1
        config["m"] = b1 * m + (1 - b1) * dw
        config["v"] = b2 * v + (1 - b2) * dw ** 2
        config["t"] = t
        vt = config["v"] / (1 - b2 ** t)
        next_w = w - lr * vt / (np.sqrt(vt) + eps)"""),
    _adam("nothing stored", "state_not_stored", """
        t += 1
        m = b1 * m + (1 - b1) * dw
        v = b2 * v + (1 - b2) * dw ** 2
        next_w = w - lr * m / (1 - b1 ** t) / (np.sqrt(v / (1 - b2 ** t)) + eps)"""),
    _adam("nothing stored, no correction", "state_not_stored t_not_incremented no_bias_correction",
          """
        m = b1 * m + (1 - b1) * dw
        v = b2 * v + (1 - b2) * dw ** 2
        next_w = w - lr * m / (np.sqrt(v) + eps)"""),
    _adam("rate overwritten", "config_overwritten", """
        config["t"] += 1
        config["m"] = b1 * m + (1 - b1) * dw
        config["v"] = b2 * v + (1 - b2) * dw ** 2
        config["learning_rate"] = lr * np.sqrt(1 - b2 ** config["t"]) / (1 - b1 ** config["t"])
        next_w = w - config["learning_rate"] * config["m"] / (np.sqrt(config["v"]) + eps)"""),
    _adam("rate decayed", "config_overwritten", """
        config["t"] += 1
        config["m"] = b1 * m + (1 - b1) * dw
        config["v"] = b2 * v + (1 - b2) * dw ** 2
        mh, vh = config["m"] / (1 - b1 ** config["t"]), config["v"] / (1 - b2 ** config["t"])
        next_w = w - lr * mh / (np.sqrt(vh) + eps)
        config["learning_rate"] = lr * 0.99"""),
    _adam("eps in the corrections", "eps_in_correction", """
        t += 1
        m = b1 * m + (1 - b1) * dw
        v = b2 * v + (1 - b2) * dw ** 2
        mh, vh = m / (1 - b1 ** t + eps), v / (1 - b2 ** t + eps)
        next_w = w - lr * mh / (np.sqrt(vh) + eps)
        config["m"], config["v"], config["t"] = m, v, t"""),
    _adam("m corrected by beta2", "corrections_exchanged", """
        t += 1
        m = b1 * m + (1 - b1) * dw
        v = b2 * v + (1 - b2) * dw ** 2
        next_w = w - lr * m / (1 - b2 ** t) / (np.sqrt(v / (1 - b1 ** t)) + eps)
        config["m"], config["v"], config["t"] = m, v, t"""),
    _adam("only v forgets nothing", "second_accumulated", """
        t += 1
        m = b1 * m + (1 - b1) * dw
        v = v + (1 - b2) * dw ** 2
        next_w = w - lr * m / (1 - b1 ** t) / (np.sqrt(v / (1 - b2 ** t)) + eps)
        config["m"], config["v"], config["t"] = m, v, t"""),
    _adam("the old averages", "old_averages", """
        t += 1
        next_w = w - lr * m / (1 - b1 ** t) / (np.sqrt(v / (1 - b2 ** t)) + eps)
        config["m"] = b1 * m + (1 - b1) * dw
        config["v"] = b2 * v + (1 - b2) * dw ** 2
        config["t"] = t"""),
    _k("rmsprop: eps subtracted", "rmsprop", "eps_subtracted", '''
def rmsprop(w, dw, config=None):
    config = config or {}
    lr, d, e = config.get("learning_rate", 1e-2), config.get("decay_rate", 0.99), config.get("epsilon", 1e-8)
    cache = d * config.get("cache", np.zeros_like(w)) + (1 - d) * dw ** 2
    config["cache"] = cache
    return w - lr * dw / (cache ** 0.5 - e), config
'''),
    _k("rmsprop: forgets nothing and takes no root", "rmsprop", "root_missing old_forgotten", '''
def rmsprop(w, dw, config=None):
    config = config or {}
    lr, d, e = config.get("learning_rate", 1e-2), config.get("decay_rate", 0.99), config.get("epsilon", 1e-8)
    config["cache"] = config.get("cache", np.zeros_like(w)) + (1 - d) * dw ** 2
    return w - lr * dw / (config["cache"] + e), config
'''),
    _k("momentum: stored with another sign", "sgd_momentum",
       "velocity_sign step_sign rate_at_update", '''
def sgd_momentum(w, dw, config=None):
    config = config or {}
    lr, mu = config.get("learning_rate", 1e-2), config.get("momentum", 0.9)
    v = mu * config.get("velocity", np.zeros_like(w)) + lr * dw
    config["velocity"] = v
    return w - v, config
'''),
    _k("momentum: only stored", "sgd_momentum", "velocity_unused", '''
def sgd_momentum(w, dw, config=None):
    config = config or {}
    lr, mu = config.get("learning_rate", 1e-2), config.get("momentum", 0.9)
    config["velocity"] = mu * config.get("velocity", np.zeros_like(w)) - lr * dw
    return w - lr * dw, config
'''),
]  # fmt: skip

BN = """
def batchnorm_forward(x, gamma, beta, bn_param):
    mode, eps, momentum = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    N, D = x.shape
    running_mean = bn_param.get("running_mean", np.zeros(D))
    running_var = bn_param.get("running_var", np.zeros(D))
    cache = None
    if mode == "train":
%s
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    else:
%s
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return out, cache
"""
TRAIN = """mu = np.sum(x, axis=0) / N
xc = x - mu
var = np.sum(xc * xc, axis=0) / N
ivar = 1 / np.sqrt(var + eps)
xhat = xc * ivar
out = xhat * gamma + beta
cache = (xhat, gamma, ivar)"""
TEST = "out = (x - running_mean) / np.sqrt(running_var + eps) * gamma + beta"


def _bn(id: str, named: str, train: str = TRAIN, test: str = TEST) -> Kind:
    def block(text: str) -> str:
        return "\n".join(f"        {line.strip()}" for line in text.strip().split("\n"))

    return _k(f"batch norm: {id}", "batchnorm_forward", named, BN % (block(train), block(test)))


def _swap(*pairs: tuple[str, str], text: str = TRAIN) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


FORWARD = [
    _bn("beta subtracted in testing", "test_beta_subtracted",
        test=TEST.replace("+ beta", "- beta")),
    _bn("beta subtracted", "beta_subtracted", _swap(("gamma + beta", "gamma - beta"))),
    _bn("divided by gamma in testing", "test_gamma_divides",
        test=TEST.replace("* gamma", "/ gamma")),
    _bn("one variance", "variance_whole_array",
        _swap(("np.sum(xc * xc, axis=0) / N", "np.var(x) + 0 * mu"))),
    _bn("one variance around the column's mean", "variance_whole_array",
        _swap(("np.sum(xc * xc, axis=0) / N", "np.mean(xc ** 2) + 0 * mu"))),
    _bn("one mean", "mean_whole_array",
        _swap(("np.sum(x, axis=0) / N", "np.mean(x) + np.zeros(D)"))),
    _bn("root of running_var twice", "test_divided_by_variance test_eps_outside test_eps_missing",
        test=TEST.replace("np.sqrt(running_var + eps)", "running_var")),
    _bn("no statistics in testing", "test_uses_batch", test="mu = x.mean(0)\nvar = x.var(0)\n"
        "out = (x - mu) / np.sqrt(var + eps) * gamma + beta"),
    _k("batch norm: the axis is guessed", "batchnorm_forward", "only_where_sizes_differ", '''
def batchnorm_forward(x, gamma, beta, bn_param):
    eps, m = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    if bn_param["mode"] == "test":
        return gamma * (x - bn_param["running_mean"]) / np.sqrt(bn_param["running_var"] + eps) + beta, None
    by_rows = x.shape[0] == gamma.shape[0]
    z = x.T if by_rows else x
    mu, var = z.mean(0), z.var(0)
    xhat = (z - mu) / np.sqrt(var + eps)
    xhat = xhat.T if by_rows else xhat
    bn_param["running_mean"] = m * bn_param.get("running_mean", np.zeros(len(mu))) + (1 - m) * mu
    bn_param["running_var"] = m * bn_param.get("running_var", np.zeros(len(mu))) + (1 - m) * var
    return gamma * xhat + beta, (xhat, gamma, var, eps)
'''),
    _k("layer norm: transposed back too early", "layernorm_forward", "transposed_once_too_often",
       '''
def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    x = x.T
    x = x.T
    mu = np.mean(x, axis=0)
    xmu = x - mu
    std = np.sqrt(np.mean(xmu ** 2, axis=0) + eps)
    xhat = (xmu / std).T
    return gamma.reshape(-1, 1) * xhat + beta.reshape(-1, 1), (xhat, gamma, std)
'''),
    _k("layer norm: never transposed back", "layernorm_forward", "output_transposed", '''
def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    x = x.T
    xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    return gamma[:, None] * xhat + beta[:, None], (xhat, gamma)
'''),
    _k("layer norm: mean of the column, variance of the row", "layernorm_forward",
       "mean_wrong_axis", '''
def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    xmu = x - x.mean(axis=0)
    var = np.var(x, axis=1, keepdims=True)
    xhat = xmu / np.sqrt(var + eps)
    return gamma * xhat + beta, (xhat, gamma, var, eps)
'''),
]  # fmt: skip

UNPACK = "    xhat, gamma, xmu, ivar, sqrtvar, var, eps = cache\n    N, D = dout.shape\n"
BN_FULL = """
def batchnorm_forward(x, gamma, beta, bn_param):
    mode, eps, m = bn_param["mode"], bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    rm = bn_param.get("running_mean", np.zeros(x.shape[1]))
    rv = bn_param.get("running_var", np.zeros(x.shape[1]))
    if mode == "test":
        return gamma * (x - rm) / np.sqrt(rv + eps) + beta, None
    mu, var = x.mean(0), x.var(0)
    xmu, sqrtvar = x - mu, np.sqrt(var + eps)
    xhat = xmu / sqrtvar
    bn_param["running_mean"], bn_param["running_var"] = m * rm + (1 - m) * mu, m * rv + (1 - m) * var
    return gamma * xhat + beta, (xhat, gamma, xmu, 1 / sqrtvar, sqrtvar, var, eps)


def batchnorm_backward_alt(dout, cache):
    return batchnorm_backward(dout, cache)


def batchnorm_backward(dout, cache):
"""
LN_FULL = """
def layernorm_forward(x, gamma, beta, ln_param):
    eps = ln_param.get("eps", 1e-5)
    mu, var = x.mean(1, keepdims=True), x.var(1, keepdims=True)
    xmu, sqrtvar = x - mu, np.sqrt(var + eps)
    xhat = xmu / sqrtvar
    return gamma * xhat + beta, (xhat, gamma, xmu, 1 / sqrtvar, sqrtvar, var, eps)


def layernorm_backward(dout, cache):
"""
SUMS = "\n    return dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0)\n"


def _back(id: str, named: str, body: str, layer: bool = False) -> Kind:
    lines = "\n".join(f"    {line.strip()}" for line in body.strip().split("\n"))
    name = "layernorm_backward" if layer else "batchnorm_backward"
    return _k(f"{name}: {id}", name, named, (LN_FULL if layer else BN_FULL) + UNPACK + lines + SUMS)


BACKWARD = [
    _back("shortcut of batch norm",
          "gamma_outside mean_path_wrong_axis variance_path_wrong_axis wrong_axis", """
        dx = gamma * ivar / D * (D * dout - np.sum(dout, axis=0) - xhat * np.sum(dout * xhat, axis=0))""", layer=True),
    _back("shortcut of batch norm, second sum right", "gamma_outside mean_path_wrong_axis", """
        dx = gamma * ivar / D * (D * dout - np.sum(dout, axis=0) - xhat * np.sum(dout * xhat, axis=1, keepdims=True))
        """, layer=True),
    _back("shortcut of batch norm without std", "gamma_outside mean_path_wrong_axis std_missing",
          """
        dx = gamma / D * (D * dout - dout.sum(0) - xhat * (dout * xhat).sum(1, keepdims=True))""",
          layer=True),
    _back("gamma outside", "gamma_outside", """
        dx = gamma * ivar * (dout - dout.mean(1, keepdims=True) - xhat * (dout * xhat).mean(1, keepdims=True))
        """, layer=True),
    _back("terms merged", "variance_path_merged", """
        d = dout * gamma * ivar
        dx = d - np.mean(d * (1 + xhat ** 2), axis=0)"""),
    _back("no paths, times std", "both_paths_missing multiplied_by_std", """
        dx = gamma * dout * sqrtvar"""),
    _back("no paths, times the variance", "variance_for_std both_paths_missing", """
        dx = gamma * dout * var"""),
    _back("no paths at all", "both_paths_missing", """
        dx = dout * gamma / np.sqrt(var + eps)"""),
    _back("dout itself", "dx_is_dout", "dx = 1.0 * dout"),
    _back("another eps", "eps_other", """
        d = gamma * dout
        dx = (d - d.mean(0) - xhat * (d * xhat).mean(0)) / np.sqrt(var + 1e-3)"""),
    _back("another eps, no mean path", "eps_other mean_path_missing", """
        d = gamma * dout
        dx = (d - xhat * (d * xhat).mean(0)) / np.sqrt(var + 1e-3)"""),
    _back("no factor 2, no N, no sign",
          "factor_two_missing variance_path_sign variance_path_one_over_n_missing", """
        dxhat = dout * gamma
        dvar = np.sum(dxhat * xmu, axis=0) * 0.5 * ivar ** 3
        dmu = -np.sum(dxhat * ivar, axis=0)
        dx = dxhat * ivar + dvar * xmu + dmu / N"""),
    _back("power, mean's N and gamma",
          "variance_path_power mean_path_one_over_n_missing gamma_missing", """
        dvar = np.sum(dout * xmu, axis=0) * -0.5 * ivar
        dmu = -np.sum(dout * ivar, axis=0)
        dx = dout * ivar + dvar * 2 * xmu / N + dmu"""),
    _back("mean over the whole array", "mean_path_whole_array", """
        dxhat = dout * gamma
        dx = ivar * (dxhat - np.sum(dxhat) / N - xhat * np.mean(dxhat * xhat, axis=0))"""),
]  # fmt: skip

NET = """
class FullyConnectedNet:
    def __init__(self, hidden_dims, input_dim=12, num_classes=4, dropout=1, normalization=None, reg=0.0,
                 weight_scale=1e-2, dtype=np.float32, seed=None):
        self.normalization, self.reg, self.dtype = normalization, reg, dtype
        self.use_dropout = dropout != 1
        self.num_layers = 1 + len(hidden_dims)
        dims = [input_dim] + list(hidden_dims) + [num_classes]
        self.params = {}
        for i in range(self.num_layers):
            self.params["W%d" % (i + 1)] = weight_scale * np.random.randn(dims[i], dims[i + 1])
            self.params["b%d" % (i + 1)] = np.zeros(dims[i + 1])
            if normalization is not None and i < self.num_layers - 1:
                self.params["gamma%d" % (i + 1)] = np.ones(dims[i + 1])
                self.params["beta%d" % (i + 1)] = np.zeros(dims[i + 1])
        self.dropout_param = {"mode": "train", "p": dropout}
        if seed is not None:
            self.dropout_param["seed"] = seed
        self.bn_params = [{"mode": "train"} for i in range(self.num_layers - 1)]
        for k, v in self.params.items():
            self.params[k] = v.astype(dtype)

    def loss(self, X, y=None):
        X = X.astype(self.dtype)
        mode = "test" if y is None else "train"
        self.dropout_param["mode"] = mode
        for bn_param in self.bn_params:
            bn_param["mode"] = mode
        L, p, h, saved = self.num_layers, self.params, X, {}
        for i in range(1, L):
            h, saved["fc", i] = affine_forward(h, p["W%d" % i], p["b%d" % i])
            if self.normalization == "batchnorm":
                h, saved["norm", i] = batchnorm_forward(h, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
            elif self.normalization == "layernorm":
                h, saved["norm", i] = layernorm_forward(h, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
            h, saved["relu", i] = relu_forward(h)
            if self.use_dropout:
                h, saved["drop", i] = dropout_forward(h, self.dropout_param)
        scores, saved["fc", L] = affine_forward(h, p["W%d" % L], p["b%d" % L])
        if mode == "test":
            return scores
        loss, dscores = softmax_loss(scores, y)
        for i in range(1, L + 1):
            loss += 0.5 * self.reg * np.sum(p["W%d" % i] ** 2)
        grads = {}
        dh, grads["W%d" % L], grads["b%d" % L] = affine_backward(dscores, saved["fc", L])
        grads["W%d" % L] += self.reg * p["W%d" % L]
        for i in range(L - 1, 0, -1):
            if self.use_dropout:
                dh = dropout_backward(dh, saved["drop", i])
            dh = relu_backward(dh, saved["relu", i])
            if self.normalization == "batchnorm":
                dh, grads["gamma%d" % i], grads["beta%d" % i] = batchnorm_backward(dh, saved["norm", i])
            elif self.normalization == "layernorm":
                dh, grads["gamma%d" % i], grads["beta%d" % i] = layernorm_backward(dh, saved["norm", i])
            dh, grads["W%d" % i], grads["b%d" % i] = affine_backward(dh, saved["fc", i])
            grads["W%d" % i] += self.reg * p["W%d" % i]
        return loss, grads
"""
PENALTY = """        for i in range(1, L + 1):
            loss += 0.5 * self.reg * np.sum(p["W%d" % i] ** 2)
"""


def _net(id: str, named: str, *changes: tuple[str, str]) -> Kind:
    return _k(f"net: {id}", "FullyConnectedNet", named, _swap(*changes, text=NET))


def _penalty(id: str, named: str, new: str) -> Kind:
    return _net(f"penalty {id}", named, (PENALTY, f"        {new}\n"))


NETS = [
    _penalty("of the hidden layers", "reg_loss_last_missing",
             'loss += 0.5 * self.reg * sum((p["W%d" % i] ** 2).sum() for i in range(1, L))'),
    _penalty("of the last layer", "reg_loss_last_only",
             'loss += 0.5 * self.reg * np.sum(p["W%d" % L] ** 2)'),
    _penalty("of W1 alone", "reg_loss_first_only", 'loss += 0.5 * self.reg * np.sum(p["W1"] ** 2)'),
    _penalty("of W1 every time", "reg_loss_wrong_layer",
             'loss += 0.5 * self.reg * sum(np.sum(p["W1"] ** 2) for _ in range(L))'),
    _penalty("of W1 and W2", "reg_loss_last_missing reg_loss_layers_missing",
             'loss += 0.5 * self.reg * (np.sum(p["W1"] ** 2) + np.sum(p["W2"] ** 2))'),
    _penalty("of everything", "all_parameters_regularized biases_regularized",
             "loss += 0.5 * self.reg * sum(np.sum(v ** 2) for v in p.values())"),
    _penalty("without the half", "reg_loss_half_missing",
             'loss += self.reg * sum((p["W%d" % i] ** 2).sum() for i in range(1, L + 1))'),
    _penalty("of the sum", "reg_loss_of_sum",
             'loss += 0.5 * self.reg * sum(np.sum(p["W%d" % i]) ** 2 for i in range(1, L + 1))'),
    _penalty("without the square", "reg_loss_unsquared",
             'loss += 0.5 * self.reg * sum(np.linalg.norm(p["W%d" % i]) for i in range(1, L + 1))'),
    _penalty("absolute", "reg_loss_absolute",
             'loss += self.reg * sum(np.sum(np.abs(p["W%d" % i])) for i in range(1, L + 1))'),
    _penalty("over N", "reg_loss_averaged",
             'loss += 0.5 * self.reg * sum((p["W%d" % i] ** 2).sum() for i in range(1, L + 1)) / '
             'len(X)'),
    _penalty("twice for the last", "reg_loss_layers_twice",
             'loss += 0.5 * self.reg * (sum((p["W%d" % i] ** 2).sum() for i in range(1, L + 1)) + '
             '(p["W%d" % L] ** 2).sum())'),
    _penalty("accumulated while it is added", "reg_loss_uneven reg_loss_layers_twice",
             'loss += 0.5 * self.reg * sum((L + 1 - i) * (p["W%d" % i] ** 2).sum() for i in '
             'range(1, L + 1))'),
    _penalty("with reg squared", "reg_not_proportional",
             'loss += 0.5 * self.reg ** 2 * sum((p["W%d" % i] ** 2).sum() for i in range(1, L + 1))'),
    _net("gradient of the last layer alone regularized", "reg_gradient_hidden_missing",
         ('            grads["W%d" % i] += self.reg * p["W%d" % i]\n', "")),
    _net("gradient of the last layer not regularized", "reg_gradient_last_missing",
         ('        grads["W%d" % L] += self.reg * p["W%d" % L]\n', "")),
    _net("gradient of the last layer regularized twice", "reg_gradient_twice",
         ('        grads["W%d" % L] += self.reg', '        grads["W%d" % L] += 2 * self.reg')),
    _net("gradients regularized by W squared", "reg_gradient_other reg_gradient_of_norm",
         ('+= self.reg * p["W%d" % i]\n        return',
          '+= self.reg * np.sum(p["W%d" % i] ** 2)\n        return')),
    _net("biases regularized in the gradients", "biases_regularized",
         ('            grads["W%d" % i] += self.reg',
          '            grads["b%d" % i] += self.reg * p["b%d" % i]\n            grads["W%d" % i] '
          '+= self.reg')),
    _net("layer norm goes back through batch norm", "norm_backward_of_other_kind raises_with_norm",
         ("layernorm_backward(dh", "batchnorm_backward(dh")),
    _net("layer norm is batch norm", "batch_norm_for_layer_norm",
         ("layernorm_backward(dh", "batchnorm_backward(dh"),
         ("layernorm_forward(h", "batchnorm_forward(h")),
    _net("state made anew before each pass", "state_made_anew",
         ("        for bn_param in self.bn_params:",
          '        self.bn_params = [{"mode": mode} for _ in self.bn_params]\n        for bn_param '
          'in self.bn_params:')),
    _net("state handed over as a copy", "state_made_anew",
         ("self.bn_params[i - 1])\n            elif",
          "dict(self.bn_params[i - 1]))\n            elif")),
    _net("gamma and beta never used", "norm_ignored",
         ('if self.normalization == "batchnorm"', 'if self.normalization == "batch"'),
         ('elif self.normalization == "layernorm"', 'elif self.normalization == "layer"')),
    _net("gamma and beta never used, though layer norm is", "norm_ignored",
         ('if self.normalization == "batchnorm"', 'if self.normalization == "batch"')),
    _net("one norm too many, and the scores through ReLU", "relu_on_scores",
         ("is not None and i < self.num_layers - 1", "is not None"),
         ('p["b%d" % L])\n', 'p["b%d" % L])\n        scores = np.maximum(scores, 0)\n')),
    _net("biases as rows, and the scores through ReLU", "relu_on_scores",
         ("np.zeros(dims[i + 1])\n            if", "np.zeros((1, dims[i + 1]))\n            if"),
         ('p["b%d" % L])\n', 'p["b%d" % L])\n        scores = np.maximum(scores, 0)\n')),
    _net("counted from zero, and the last layer not regularized", "reg_gradient_last_missing",
         *((f'"{k}%d" % i]', f'"{k}%d" % (i - 1)]') for k in ("W", "b", "gamma", "beta")),
         *((f'"{k}%d" % (i + 1)', f'"{k}%d" % i') for k in ("W", "b", "gamma", "beta")),
         *((f'"{k}%d" % L', f'"{k}%d" % (L - 1)') for k in ("W", "b")),
         ('        grads["W%d" % (L - 1)] += self.reg * p["W%d" % (L - 1)]\n', "")),
    _net("the norm after ReLU in forward alone",
         "norm_after_relu backward_order gradients_unexplained",
         ('            h, saved["relu", i] = relu_forward(h)\n', ""),
         ('            if self.normalization == "batchnorm":\n                h,',
          '            h, saved["relu", i] = relu_forward(h)\n            if self.normalization == '
          '"batchnorm":\n                h,')),
    _net("no ReLU on the way back", "relu_backward_missing",
         ('            dh = relu_backward(dh, saved["relu", i])\n', "")),
    _net("no dropout on the way back", "dropout_backward_skipped",
         ('                dh = dropout_backward(dh, saved["drop", i])\n',
          "                pass\n")),
    _net("dropout in testing too", "dropout_in_test_mode",
         ('self.dropout_param["mode"] = mode', "pass")),
    _net("svm for softmax", "svm_for_softmax", ("softmax_loss(scores", "svm_loss(scores")),
    _net("gamma and beta exchanged in grads", "norm_keys_swapped",
         ('grads["gamma%d" % i], grads["beta%d" % i] = layer',
          'grads["beta%d" % i], grads["gamma%d" % i] = layer')),
    _net("dgamma is not stored", "gradient_keys",
         ('dh, grads["gamma%d" % i], grads["beta%d" % i] = batchnorm',
          'dh, _, grads["beta%d" % i] = batchnorm')),
    _net("mode is never set", "test_mode_missing", ('bn_param["mode"] = mode', "pass")),
]  # fmt: skip

SPATIAL_FORWARD = """
def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    N, C, H, W = x.shape
%s
"""
GROUP_FORWARD = """
def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    N, C, H, W = x.shape
    eps = gn_param.get("eps", 1e-5)
%s
    return out, cache
"""
GROUP_BACKWARD = """
def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    N, C, H, W = x.shape
    eps = gn_param.get("eps", 1e-5)
    g = x.reshape(N, G, C // G, H, W)
    mu, var = g.mean(axis=(2, 3, 4), keepdims=True), g.var(axis=(2, 3, 4), keepdims=True)
    std = np.sqrt(var + eps)
    xhat = ((g - mu) / std).reshape(x.shape)
    return gamma * xhat + beta, (xhat, gamma, std, G)


def spatial_groupnorm_backward(dout, cache):
    xhat, gamma, std, G = cache
    N, C, H, W = dout.shape
    M = C // G * H * W
%s
    return dx, np.sum(dout * xhat, axis=(0, 2, 3), keepdims=True), np.sum(dout, axis=(0, 2, 3), keepdims=True)
"""


def _body(text: str) -> str:
    lines = text.strip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join("    " + line[indent:] for line in lines)


def _spatial(id: str, named: str, body: str) -> Kind:
    return _k(f"spatial: {id}", "spatial_batchnorm_forward", named, SPATIAL_FORWARD % _body(body))


def _group(id: str, named: str, body: str) -> Kind:
    return _k(f"group: {id}", "spatial_groupnorm_forward", named, GROUP_FORWARD % _body(body))


def _group_back(id: str, named: str, body: str) -> Kind:
    return _k(f"group: {id}", "spatial_groupnorm_backward", named, GROUP_BACKWARD % _body(body))


IMAGES = [
    _spatial("channel by channel, a pixel at a time", "per_pixel", """
        out, cache = np.zeros(x.shape), []
        for c in range(C):
            flat, one = batchnorm_forward(x[:, c].reshape(N, H * W), gamma[c], beta[c], bn_param)
            out[:, c] = flat.reshape(N, H, W)
            cache.append(one)
        return out, cache"""),
    _spatial("channel by channel, one state", "shared_bn_param", """
        out, cache = np.zeros(x.shape), []
        for c in range(C):
            flat, one = batchnorm_forward(x[:, c].reshape(-1, 1), gamma[c:c + 1], beta[c:c + 1], bn_param)
            out[:, c] = flat.reshape(N, H, W)
            cache.append(one)
        return out, cache"""),
    _spatial("rows without moving channels", "not_transposed", """
        out, cache = batchnorm_forward(x.reshape(-1, C), gamma, beta, bn_param)
        return out.reshape(x.shape), cache"""),
    _spatial("left channels last", "not_transposed_back left_as_rows", """
        out, cache = batchnorm_forward(x.transpose(0, 2, 3, 1).reshape(-1, C), gamma, beta, bn_param)
        return out.reshape(N, H, W, C), cache"""),
    _spatial("reshaped back at once", "not_transposed_back", """
        out, cache = batchnorm_forward(np.moveaxis(x, 1, 3).reshape(-1, C), gamma, beta, bn_param)
        return out.reshape(N, C, H, W), cache"""),
    _spatial("an eps of its own and no gamma in testing", "test_affine_missing test_gamma_missing",
             """
        m = 0.9
        m, g, b = bn_param.get("momentum", 0.9), gamma[None, :, None, None], beta[None, :, None, None]
        if bn_param["mode"] == "test":
            mu, var = bn_param["running_mean"], bn_param["running_var"]
            return (x - mu[None, :, None, None]) / np.sqrt(var[None, :, None, None] + 1e-5), None
        mu, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        bn_param["running_mean"] = m * bn_param.get("running_mean", np.zeros(C)) + (1 - m) * mu
        bn_param["running_var"] = m * bn_param.get("running_var", np.zeros(C)) + (1 - m) * var
        return g * (x - mu[None, :, None, None]) / np.sqrt(var[None, :, None, None] + 1e-5) + b, None"""),
    _group("batch norm of each group", "batch_norm_for_group_norm over_batch", """
        out, cache, size = np.zeros(x.shape), [], C // G
        for g in range(G):
            part = x[:, g * size:(g + 1) * size]
            mu, var = part.mean(axis=(0, 2, 3), keepdims=True), part.var(axis=(0, 2, 3), keepdims=True)
            out[:, g * size:(g + 1) * size] = (part - mu) / np.sqrt(var + eps)
        out = gamma * out + beta"""),
    _group("over the batch too", "over_batch", """
        g, cache = x.reshape(N, G, C // G, H, W), None
        xhat = (g - g.mean((0, 2, 3, 4), keepdims=True)) / np.sqrt(g.var((0, 2, 3, 4), keepdims=True) + eps)
        out = gamma * xhat.reshape(x.shape) + beta"""),
    _group("pixels before channels", "pixels_mixed", """
        g, cache = x.reshape(N, G, H * W, C // G), None
        xhat = (g - g.mean(2, keepdims=True)) / np.sqrt(g.var(2, keepdims=True) + eps)
        out = gamma * xhat.reshape(x.shape) + beta"""),
    _group("channels last, then rows", "pixels_mixed", """
        t, cache = x.transpose(0, 2, 3, 1), None
        g = t.reshape(N * G, -1)
        xhat = ((g - g.mean(1, keepdims=True)) / np.sqrt(g.var(1, keepdims=True) + eps)).reshape(t.shape)
        out = gamma * xhat.transpose(0, 3, 1, 2) + beta"""),
    _group("over the groups", "over_groups", """
        g, cache = x.reshape(N * G, -1), None
        xhat = (g - g.mean(0)) / np.sqrt(g.var(0) + eps)
        out = gamma * xhat.reshape(x.shape) + beta"""),
    _group("layer norm", "groups_ignored", """
        over, cache = (1, 2, 3), None
        out = gamma * (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + eps) + beta"""),
    _group("G channels in a group", "group_size_for_count", """
        g, cache = x.reshape(N, C // G, G, H, W), None
        xhat = (g - g.mean((2, 3, 4), keepdims=True)) / np.sqrt(g.var((2, 3, 4), keepdims=True) + eps)
        out = gamma * xhat.reshape(x.shape) + beta"""),
    _group_back("dout itself", "dx_is_dout", "        dx = dout + 0"),
    _group_back("gamma times dout", "dx_is_dout", "        dx = dout * gamma"),
    _group_back("constants", "both_paths_missing", """
        dx = ((dout * gamma).reshape(N, G, C // G, H, W) / std).reshape(dout.shape)"""),
    _group_back("another count", "wrong_count dx_factor mean_path_wrong_count", """
        d = (dout * gamma).reshape(N, G, C // G, H, W)
        q = xhat.reshape(d.shape)
        total, along = d.sum((2, 3, 4), keepdims=True), (d * q).sum((2, 3, 4), keepdims=True)
        dx = ((d - total / (N * G) - q * along / (N * G)) / std).reshape(dout.shape)"""),
    _group_back("summed over pixels alone", "reduced_over_part", """
        d = (dout * gamma).reshape(N, G, C // G, H, W)
        q, over = xhat.reshape(d.shape), {"axis": (3, 4), "keepdims": True}
        dx = ((d - d.mean(**over) - q * (d * q).mean(**over)) / std).reshape(dout.shape)"""),
    _group_back("no path through the mean", "mean_path_missing", """
        d = (dout * gamma).reshape(N, G, C // G, H, W)
        q, over = xhat.reshape(d.shape), {"axis": (2, 3, 4), "keepdims": True}
        dx = ((d - q * (d * q).mean(**over)) / std).reshape(dout.shape)"""),
]  # fmt: skip

OTHERS = [
    _k("svm: margins not clipped", "svm_loss", "not_clipped", """
def svm_loss(x, y):
    N = x.shape[0]
    rows = np.arange(N)
    margins = x - x[rows, y].reshape(-1, 1) + 1
    margins[rows, y] = 0
    grad = np.where(margins > 0, 1.0, 0.0)
    grad[rows, y] = -grad.sum(axis=1)
    return np.sum(margins) / N, grad / N
"""),
    _k("svm: every class counts", "svm_loss", "every_margin_counts", """
def svm_loss(x, y):
    N, C = x.shape
    loss, dx = 0.0, np.zeros((N, C))
    for i in range(N):
        for j in range(C):
            if j == y[i]:
                continue
            loss += max(0, x[i, j] - x[i, y[i]] + 1)
            dx[i, j] += 1
            dx[i, y[i]] -= 1
    return loss / N, dx / N
"""),
    _k("svm: the margins for their slopes", "svm_loss", "margin_for_slope", """
def svm_loss(x, y):
    n = np.arange(len(y))
    m = np.maximum(0, x - x[n, y][:, None] + 1)
    m[n, y] = 0
    loss = m.sum() / len(y)
    dx = m.copy()
    dx[n, y] -= m.sum(1)
    return loss, dx / len(y)
"""),
    _k("softmax: no minus one and no mean", "softmax_loss",
       "gradient_without_target gradient_not_averaged", """
def softmax_loss(x, y):
    z = x - x.max(1)[:, None]
    logp = z - np.log(np.exp(z).sum(1))[:, None]
    return -logp[np.arange(len(y)), y].mean(), np.exp(logp)
"""),
    _k("dropout: everything", "dropout_forward", "everything_dropped", """
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if mode == "test":
        return x, (dropout_param, None)
    mask = (np.random.rand(*x.shape) < p).astype(int) // 2
    return x * mask, (dropout_param, mask)
"""),
    _k("dropout: the numbers themselves", "dropout_forward", "mask_not_binary", """
def dropout_forward(x, dropout_param):
    p, mode = dropout_param["p"], dropout_param["mode"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if mode == "test":
        return x, (dropout_param, None)
    mask = np.random.rand(*x.shape) / p
    return x * mask, (dropout_param, mask)
"""),
    _k("pooling: width from height", "max_pool_forward_naive", "width_from_height", """
def max_pool_forward_naive(x, pool_param):
    s, ph, pw = pool_param["stride"], pool_param["pool_height"], pool_param["pool_width"]
    N, C, H, W = x.shape
    Ho = Wo = int(1 + (H - ph) / s)
    out = np.zeros((N, C, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            out[:, :, i, j] = np.max(x[:, :, i * s:i * s + ph, j * s:j * s + pw], axis=(2, 3))
    return out, (x, pool_param)
"""),
    _k("pooling: one side for both", "max_pool_forward_naive", "window_for_both", """
def max_pool_forward_naive(x, pool_param):
    s, k = pool_param["stride"], pool_param["pool_height"]
    N, C, H, W = x.shape
    out = np.zeros((N, C, 1 + (H - k) // s, 1 + (W - k) // s))
    for n in range(N):
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                out[n, :, i, j] = x[n, :, i * s:i * s + k, j * s:j * s + k].reshape(C, -1).max(1)
    return out, (x, pool_param)
"""),
    _k("pooling: windows that hang over", "max_pool_forward_naive",
       "rest_counted size_without_window", """
def max_pool_forward_naive(x, pool_param):
    s, ph, pw = pool_param["stride"], pool_param["pool_height"], pool_param["pool_width"]
    N, C, H, W = x.shape
    Ho, Wo = int(np.ceil((H - ph) / s)) + 1, int(np.ceil((W - pw) / s)) + 1
    out = np.zeros((N, C, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            out[:, :, i, j] = np.max(x[:, :, i * s:i * s + ph, j * s:j * s + pw], axis=(2, 3))
    return out, (x, pool_param)
"""),
    _k("pooling: the stride is the window", "max_pool_forward_naive", "stride_ignored", """
def max_pool_forward_naive(x, pool_param):
    s, ph, pw = pool_param["stride"], pool_param["pool_height"], pool_param["pool_width"]
    N, C, H, W = x.shape
    Ho, Wo = 1 + (H - ph) // ph, 1 + (W - pw) // pw
    out = np.zeros((N, C, Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            out[:, :, i, j] = np.max(x[:, :, i * ph:i * ph + ph, j * pw:j * pw + pw], axis=(2, 3))
    return out, (x, pool_param)
"""),
]  # fmt: skip
KINDS = [*OPTIMIZERS, *FORWARD, *BACKWARD, *NETS, *IMAGES, *OTHERS]
