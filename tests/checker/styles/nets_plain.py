# ruff: noqa
"""Correct nets, one line a layer, caches in a list."""

import numpy as np


class TwoLayerNet(object):
    def __init__(self, input_dim=3 * 32 * 32, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
        self.params = {}
        self.reg = reg
        self.params["W1"] = weight_scale * np.random.randn(input_dim, hidden_dim)
        self.params["b1"] = np.zeros(hidden_dim)
        self.params["W2"] = weight_scale * np.random.randn(hidden_dim, num_classes)
        self.params["b2"] = np.zeros(num_classes)

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[k] for k in ("W1", "b1", "W2", "b2"))
        a, cache1 = affine_forward(X, W1, b1)
        h, relu_cache = relu_forward(a)
        scores, cache2 = affine_forward(h, W2, b2)
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        grads = {}
        dh, grads["W2"], grads["b2"] = affine_backward(dscores, cache2)
        _, grads["W1"], grads["b1"] = affine_backward(relu_backward(dh, relu_cache), cache1)
        grads["W1"] += self.reg * W1
        grads["W2"] += self.reg * W2
        return loss, grads


class FullyConnectedNet(object):
    def __init__(
        self,
        hidden_dims,
        input_dim=3 * 32 * 32,
        num_classes=10,
        dropout=1,
        normalization=None,
        reg=0.0,
        weight_scale=1e-2,
        dtype=np.float32,
        seed=None,
    ):
        self.normalization = normalization
        self.use_dropout = dropout != 1
        self.reg = reg
        self.num_layers = 1 + len(hidden_dims)
        self.dtype = dtype
        self.params = {}
        dims = [input_dim] + list(hidden_dims) + [num_classes]
        for i in range(1, self.num_layers + 1):
            self.params["W%d" % i] = weight_scale * np.random.randn(dims[i - 1], dims[i])
            self.params["b%d" % i] = np.zeros(dims[i])
            if self.normalization in ("batchnorm", "layernorm") and i < self.num_layers:
                self.params["gamma%d" % i] = np.ones(dims[i])
                self.params["beta%d" % i] = np.zeros(dims[i])
        self.dropout_param = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": dropout}
            if seed is not None:
                self.dropout_param["seed"] = seed
        self.bn_params = []
        if self.normalization == "batchnorm":
            self.bn_params = [{"mode": "train"} for i in range(self.num_layers - 1)]
        if self.normalization == "layernorm":
            self.bn_params = [{} for i in range(self.num_layers - 1)]
        for k, v in self.params.items():
            self.params[k] = v.astype(dtype)

    def loss(self, X, y=None):
        X = X.astype(self.dtype)
        mode = "test" if y is None else "train"
        if self.use_dropout:
            self.dropout_param["mode"] = mode
        if self.normalization == "batchnorm":
            for bn_param in self.bn_params:
                bn_param["mode"] = mode
        L, p = self.num_layers, self.params
        caches = []
        h = X
        for i in range(1, L):
            a, fc_cache = affine_forward(h, p["W%d" % i], p["b%d" % i])
            z, norm_cache = a, None
            if self.normalization == "batchnorm":
                z, norm_cache = batchnorm_forward(a, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
            elif self.normalization == "layernorm":
                z, norm_cache = layernorm_forward(a, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
            h, relu_cache = relu_forward(z)
            do_cache = None
            if self.use_dropout:
                h, do_cache = dropout_forward(h, self.dropout_param)
            caches.append((fc_cache, norm_cache, relu_cache, do_cache))
        scores, last_cache = affine_forward(h, p["W%d" % L], p["b%d" % L])
        if mode == "test":
            return scores
        loss, dscores = softmax_loss(scores, y)
        grads = {}
        for i in range(1, L + 1):
            loss += 0.5 * self.reg * np.sum(p["W%d" % i] ** 2)
        dh, grads["W%d" % L], grads["b%d" % L] = affine_backward(dscores, last_cache)
        for i in range(L - 1, 0, -1):
            fc_cache, norm_cache, relu_cache, do_cache = caches[i - 1]
            if self.use_dropout:
                dh = dropout_backward(dh, do_cache)
            da = relu_backward(dh, relu_cache)
            if self.normalization == "batchnorm":
                da, grads["gamma%d" % i], grads["beta%d" % i] = batchnorm_backward(da, norm_cache)
            elif self.normalization == "layernorm":
                da, grads["gamma%d" % i], grads["beta%d" % i] = layernorm_backward(da, norm_cache)
            dh, grads["W%d" % i], grads["b%d" % i] = affine_backward(da, fc_cache)
        for i in range(1, L + 1):
            grads["W%d" % i] += self.reg * p["W%d" % i]
        return loss, grads
