# ruff: noqa
"""Correct nets that walk over tuples of names; this year's options are use_batchnorm and dropout=0."""

import numpy as np


class TwoLayerNet:
    def __init__(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
        self.reg = reg
        self.params = {
            "W1": np.random.randn(input_dim, hidden_dim) * weight_scale,
            "b1": np.zeros(hidden_dim),
            "W2": np.random.randn(hidden_dim, num_classes) * weight_scale,
            "b2": np.zeros(num_classes),
        }

    def loss(self, X, y=None):
        p = self.params
        a, c1 = affine_forward(X, p["W1"], p["b1"])
        h, cr = relu_forward(a)
        scores, c2 = affine_forward(h, p["W2"], p["b2"])
        if y is None:
            return scores
        data, d = softmax_loss(scores, y)
        d, dW2, db2 = affine_backward(d, c2)
        dx, dW1, db1 = affine_backward(relu_backward(d, cr), c1)
        penalty = self.reg / 2 * sum((p[w] ** 2).sum() for w in ("W1", "W2"))
        return data + penalty, {"W1": dW1 + self.reg * p["W1"], "b1": db1, "W2": dW2 + self.reg * p["W2"], "b2": db2}


class FullyConnectedNet:
    def __init__(
        self,
        hidden_dims,
        input_dim=3072,
        num_classes=10,
        dropout=0,
        use_batchnorm=False,
        reg=0.0,
        weight_scale=1e-2,
        dtype=np.float32,
        seed=None,
    ):
        self.use_batchnorm, self.reg, self.dtype = use_batchnorm, reg, dtype
        self.use_dropout = dropout > 0
        self.dropout_param = {"mode": "train", "p": dropout}
        if seed is not None:
            self.dropout_param["seed"] = seed
        sizes = list(zip([input_dim] + hidden_dims, hidden_dims + [num_classes]))
        self.num_layers = len(sizes)
        self.params = {}
        for i, (a, b) in enumerate(sizes):
            self.params["W" + str(i + 1)] = weight_scale * np.random.randn(a, b)
            self.params["b" + str(i + 1)] = np.zeros(b)
            if use_batchnorm and i + 1 < self.num_layers:
                self.params["gamma" + str(i + 1)] = np.ones(b)
                self.params["beta" + str(i + 1)] = np.zeros(b)
        self.bn_params = [{"mode": "train"} for _ in hidden_dims]
        self.params = {k: v.astype(dtype) for k, v in self.params.items()}

    def loss(self, X, y=None):
        mode = "train" if y is not None else "test"
        self.dropout_param["mode"] = mode
        for param in self.bn_params:
            param["mode"] = mode
        p, stack, h = self.params, [], X.astype(self.dtype)
        for i in range(1, self.num_layers):
            h, cache = affine_forward(h, p["W%s" % i], p["b%s" % i])
            stack.append(("affine", i, cache))
            if self.use_batchnorm:
                h, cache = batchnorm_forward(h, p["gamma%s" % i], p["beta%s" % i], self.bn_params[i - 1])
                stack.append(("norm", i, cache))
            h, cache = relu_forward(h)
            stack.append(("relu", i, cache))
            if self.use_dropout:
                h, cache = dropout_forward(h, self.dropout_param)
                stack.append(("dropout", i, cache))
        L = self.num_layers
        h, cache = affine_forward(h, p["W%s" % L], p["b%s" % L])
        stack.append(("affine", L, cache))
        if mode == "test":
            return h
        loss, d = softmax_loss(h, y)
        grads = {}
        while stack:
            kind, i, cache = stack.pop()
            if kind == "affine":
                d, dw, grads["b%s" % i] = affine_backward(d, cache)
                grads["W%s" % i] = dw + self.reg * p["W%s" % i]
                loss = loss + 0.5 * self.reg * np.sum(np.square(p["W%s" % i]))
            elif kind == "norm":
                d, grads["gamma%s" % i], grads["beta%s" % i] = batchnorm_backward_alt(d, cache)
            elif kind == "relu":
                d = relu_backward(d, cache)
            else:
                d = dropout_backward(d, cache)
        return loss, grads
