# ruff: noqa
"""Correct nets of the recent years: dropout_keep_ratio, caches by name, weights drawn in another order."""

import numpy as np


class TwoLayerNet(object):
    def __init__(self, input_dim=3 * 32 * 32, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
        self.params = dict(
            W1=np.random.normal(scale=weight_scale, size=(input_dim, hidden_dim)),
            b1=np.zeros(hidden_dim),
            W2=np.random.normal(scale=weight_scale, size=(hidden_dim, num_classes)),
            b2=np.zeros(num_classes),
        )
        self.reg = reg

    def loss(self, X, y=None):
        h, first = affine_forward(X, self.params["W1"], self.params["b1"])
        r, mask = relu_forward(h)
        scores, second = affine_forward(r, self.params["W2"], self.params["b2"])
        if y is None:
            return scores
        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * (np.linalg.norm(self.params["W1"]) ** 2 + np.linalg.norm(self.params["W2"]) ** 2)
        grads = {}
        dr, grads["W2"], grads["b2"] = affine_backward(dscores, second)
        _, grads["W1"], grads["b1"] = affine_backward(relu_backward(dr, mask), first)
        for key in ("W1", "W2"):
            grads[key] = grads[key] + self.reg * self.params[key]
        return loss, grads


class FullyConnectedNet(object):
    def __init__(
        self,
        hidden_dims,
        input_dim=3 * 32 * 32,
        num_classes=10,
        dropout_keep_ratio=1,
        normalization=None,
        reg=0.0,
        weight_scale=1e-2,
        dtype=np.float32,
        seed=None,
    ):
        self.normalization, self.reg, self.dtype = normalization, reg, dtype
        self.use_dropout = dropout_keep_ratio != 1
        self.num_layers = 1 + len(hidden_dims)
        self.params = {}
        widths = np.hstack([input_dim, hidden_dims, num_classes])
        for i in reversed(range(self.num_layers)):
            self.params[f"W{i + 1}"] = np.random.normal(0, weight_scale, (widths[i], widths[i + 1]))
            self.params[f"b{i + 1}"] = np.zeros(widths[i + 1])
        if self.normalization:
            for i in range(self.num_layers - 1):
                self.params[f"gamma{i + 1}"] = np.ones(widths[i + 1])
                self.params[f"beta{i + 1}"] = np.zeros(widths[i + 1])
        self.dropout_param = {}
        if self.use_dropout:
            self.dropout_param = {"mode": "train", "p": dropout_keep_ratio}
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
        caches, out = {}, X
        for l in range(self.num_layers):
            out, caches["fc", l] = affine_forward(out, self.params[f"W{l + 1}"], self.params[f"b{l + 1}"])
            if l < self.num_layers - 1:
                if self.normalization:
                    step = batchnorm_forward if self.normalization == "batchnorm" else layernorm_forward
                    args = self.params[f"gamma{l + 1}"], self.params[f"beta{l + 1}"], self.bn_params[l]
                    out, caches["norm", l] = step(out, *args)
                out, caches["relu", l] = relu_forward(out)
                if self.use_dropout:
                    out, caches["drop", l] = dropout_forward(out, self.dropout_param)
        if mode == "test":
            return out
        loss, dout = softmax_loss(out, y)
        grads = {}
        for l in range(self.num_layers - 1, -1, -1):
            W = self.params[f"W{l + 1}"]
            loss += 0.5 * self.reg * (W * W).sum()
            if l < self.num_layers - 1:
                if self.use_dropout:
                    dout = dropout_backward(dout, caches["drop", l])
                dout = relu_backward(dout, caches["relu", l])
                if self.normalization:
                    back = batchnorm_backward if self.normalization == "batchnorm" else layernorm_backward
                    dout, grads[f"gamma{l + 1}"], grads[f"beta{l + 1}"] = back(dout, caches["norm", l])
            dout, grads[f"W{l + 1}"], grads[f"b{l + 1}"] = affine_backward(dout, caches["fc", l])
            grads[f"W{l + 1}"] += self.reg * W
        return loss, grads
