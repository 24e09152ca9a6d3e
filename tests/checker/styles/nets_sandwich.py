# ruff: noqa
"""Correct nets made of joined layers, with bn_param by name, lists used as stacks, and comprehensions."""

import numpy as np


def affine_norm_relu_forward(x, w, b, gamma, beta, param, norm):
    a, fc = affine_forward(x, w, b)
    n, nc = {"batchnorm": batchnorm_forward, "layernorm": layernorm_forward}[norm](a, gamma, beta, param)
    out, rc = relu_forward(n)
    return out, (fc, nc, rc, norm)


def affine_norm_relu_backward(dout, cache):
    fc, nc, rc, norm = cache
    back = batchnorm_backward_alt if norm == "batchnorm" else layernorm_backward
    dn, dgamma, dbeta = back(relu_backward(dout, rc), nc)
    return (*affine_backward(dn, fc), dgamma, dbeta)


class TwoLayerNet:
    def __init__(self, input_dim=3072, hidden_dim=100, num_classes=10, weight_scale=1e-3, reg=0.0):
        draw = lambda *shape: weight_scale * np.random.randn(*shape)
        self.params = dict(W1=draw(input_dim, hidden_dim), b1=np.zeros(hidden_dim),
                           W2=draw(hidden_dim, num_classes), b2=np.zeros(num_classes))
        self.reg = reg

    def loss(self, X, y=None):
        stack = []
        h, c = affine_forward(X, self.params["W1"], self.params["b1"])
        stack.append(c)
        h, c = relu_forward(h)
        stack.append(c)
        scores, c = affine_forward(h, self.params["W2"], self.params["b2"])
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {}
        d, grads["W2"], grads["b2"] = affine_backward(d, c)
        d = relu_backward(d, stack.pop())
        _, grads["W1"], grads["b1"] = affine_backward(d, stack.pop())
        loss += sum(0.5 * self.reg * np.linalg.norm(self.params[k]) ** 2 for k in ("W1", "W2"))
        for k in ("W1", "W2"):
            grads[k] = grads[k] + self.reg * self.params[k]
        return loss, grads


class FullyConnectedNet:
    def __init__(self, hidden_dims, input_dim=3072, num_classes=10, dropout=1, normalization=None, reg=0.0,
                 weight_scale=1e-2, dtype=np.float32, seed=None):
        self.norm, self.reg, self.dtype, self.p = normalization, reg, dtype, dropout
        self.depth = len(hidden_dims)
        dims = [input_dim, *hidden_dims, num_classes]
        self.params = {}
        i = 0
        while i <= self.depth:
            i += 1
            self.params.update({f"W{i}": weight_scale * np.random.randn(dims[i - 1], dims[i]), f"b{i}": np.zeros(dims[i])})
            if self.norm and i <= self.depth:
                self.params.update({f"gamma{i}": np.ones(dims[i]), f"beta{i}": np.zeros(dims[i])})
        self.state = {f"norm{i}": {"mode": "train"} for i in range(1, self.depth + 1)}
        self.drop = {"mode": "train", "p": dropout, **({} if seed is None else {"seed": seed})}
        self.params = {k: v.astype(dtype) for k, v in self.params.items()}

    def loss(self, X, y=None):
        h, stack, p = X.astype(self.dtype), [], self.params
        for state in [*self.state.values(), self.drop]:
            state["mode"] = "train" if y is not None else "test"
        for i in range(1, self.depth + 1):
            if self.norm:
                h, cache = affine_norm_relu_forward(h, *(p[f"{k}{i}"] for k in ("W", "b", "gamma", "beta")),
                                                    self.state[f"norm{i}"], self.norm)
            else:
                a, fc = affine_forward(h, p[f"W{i}"], p[f"b{i}"])
                h, rc = relu_forward(a)
                cache = (fc, rc)
            drop = None
            if self.p != 1:
                h, drop = dropout_forward(h, self.drop)
            stack.append((cache, drop))
        last = self.depth + 1
        scores, fc = affine_forward(h, p[f"W{last}"], p[f"b{last}"])
        if y is None:
            return scores
        loss, d = softmax_loss(scores, y)
        grads = {}
        d, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(d, fc)
        for i in range(self.depth, 0, -1):
            cache, drop = stack.pop()
            d = d if drop is None else dropout_backward(d, drop)
            if self.norm:
                names = [f"{k}{i}" for k in ("W", "b", "gamma", "beta")]
                d, *rest = affine_norm_relu_backward(d, cache)
                grads.update(zip(names, rest))
            else:
                d, grads[f"W{i}"], grads[f"b{i}"] = affine_backward(relu_backward(d, cache[1]), cache[0])
        for i in range(1, last + 1):
            loss = loss + 0.5 * self.reg * np.square(p[f"W{i}"]).sum()
            grads[f"W{i}"] = grads[f"W{i}"] + self.reg * p[f"W{i}"]
        return loss, grads
