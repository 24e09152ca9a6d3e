# ruff: noqa
"""Correct nets that work the layers out by themselves, keep state by layer in a dict, and add up squares at the end."""

import numpy as np


class TwoLayerNet(object):
    def __init__(self, input_dim=3 * 32 * 32, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
        self.params, self.reg = {}, reg
        for i, size in enumerate([(input_dim, hidden_dim), (hidden_dim, num_classes)], 1):
            self.params[f"W{i}"] = np.random.normal(0, weight_scale, size)
            self.params[f"b{i}"] = np.zeros(size[1])

    def loss(self, X, y=None):
        W1, b1, W2, b2 = (self.params[k] for k in ("W1", "b1", "W2", "b2"))
        rows = X.reshape(X.shape[0], -1)
        hidden = np.maximum(0, rows @ W1 + b1)
        scores = hidden @ W2 + b2
        if y is None:
            return scores
        p = np.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        N = len(y)
        loss = -np.log(p[np.arange(N), y]).sum() / N + self.reg * (np.vdot(W1, W1) + np.vdot(W2, W2)) / 2
        p[np.arange(N), y] -= 1
        p /= N
        dh = (p @ W2.T) * (hidden > 0)
        grads = {"W2": hidden.T @ p + self.reg * W2, "b2": p.sum(0), "W1": rows.T @ dh + self.reg * W1, "b1": dh.sum(0)}
        return loss, grads


class FullyConnectedNet(object):
    def __init__(self, hidden_dims, input_dim=3 * 32 * 32, num_classes=10, dropout_keep_ratio=1, normalization=None,
                 reg=0.0, weight_scale=1e-2, dtype=np.float32, seed=None):
        self.normalization, self.keep, self.reg, self.dtype, self.seed = normalization, dropout_keep_ratio, reg, dtype, seed
        self.widths = [input_dim, *hidden_dims, num_classes]
        self.L = len(hidden_dims) + 1
        self.params, self.running = {}, {}
        for i in range(1, self.L + 1):
            self.params[f"W{i}"] = np.random.randn(self.widths[i - 1], self.widths[i]) * weight_scale
            self.params[f"b{i}"] = np.zeros(self.widths[i])
        for i in range(1, self.L):
            if normalization:
                self.params[f"gamma{i}"] = np.ones(self.widths[i])
                self.params[f"beta{i}"] = np.zeros(self.widths[i])
            self.running[i] = [np.zeros(self.widths[i]), np.zeros(self.widths[i])]
        self.params = {k: v.astype(dtype) for k, v in self.params.items()}

    def _norm(self, i, z, train):
        axis = {"batchnorm": 0, "layernorm": 1}[self.normalization]
        mu, var = z.mean(axis, keepdims=True), z.var(axis, keepdims=True)
        if axis == 0 and train:
            for old, new in zip(self.running[i], (mu, var)):
                old *= 0.9
                old += 0.1 * new[0]
        elif axis == 0:
            mu, var = self.running[i]
        inv = 1 / np.sqrt(var + 1e-5)
        return (z - mu) * inv, inv, axis

    def loss(self, X, y=None):
        p, kept, h = self.params, [], X.reshape(len(X), -1).astype(self.dtype)
        if self.seed is not None:
            np.random.seed(self.seed)
        for i in range(1, self.L):
            z, norm = h @ p[f"W{i}"] + p[f"b{i}"], None
            if self.normalization:
                norm = self._norm(i, z, y is not None)
                z = norm[0] * p[f"gamma{i}"] + p[f"beta{i}"]
            mask = (z > 0).astype(z.dtype)
            if y is not None and self.keep < 1:
                mask = mask * (np.random.random_sample(z.shape) < self.keep) / self.keep
            kept.append((h, norm, mask))
            h = z * mask
        scores = h @ p[f"W{self.L}"] + p[f"b{self.L}"]
        if y is None:
            return scores
        n = np.arange(len(y))
        shifted = scores - scores.max(axis=1, keepdims=True)
        logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        loss, grads, d = -logp[n, y].mean(), {}, np.exp(logp)
        d[n, y] -= 1
        d /= len(y)
        kept.append((h, None, None))
        for i in reversed(range(1, self.L + 1)):
            h, norm, mask = kept[i - 1]
            if mask is not None:
                d = d * mask
            if norm is not None:
                xhat, inv, axis = norm
                grads[f"gamma{i}"], grads[f"beta{i}"] = (d * xhat).sum(0), d.sum(0)
                d = d * p[f"gamma{i}"]
                d = inv * (d - d.mean(axis, keepdims=True) - xhat * (d * xhat).mean(axis, keepdims=True))
            grads[f"W{i}"], grads[f"b{i}"] = h.T @ d, d.sum(axis=0)
            d = d @ p[f"W{i}"].T
        for name in [k for k in p if k.startswith("W")]:
            loss += self.reg / 2 * (p[name] ** 2).sum()
            grads[name] += self.reg * p[name]
        return loss, grads
