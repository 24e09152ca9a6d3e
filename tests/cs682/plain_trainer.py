"""The assignment's training, written down a second time in the plainest way: the reference is held against it.

Nothing here comes from normlab. One net, float64, each norm as its computation graph with one node
a line, one array of scores for all validation images at once, Adam as its paper has it.
"""

import itertools

import numpy as np

EPS = 1e-5


class PlainTrainer:
    """{affine, [norm], ReLU} × n, affine, softmax; trained by Adam on minibatches drawn with replacement."""

    def __init__(self, data, hidden, norm, *, seed, weight_scale, lr, batch_size, epochs):
        self.data, self.norm = data, norm
        self.lr, self.batch_size, self.epochs = lr, batch_size, epochs
        self.random = np.random.RandomState(seed)
        self.flat = {part: data[part].reshape(len(data[part]), -1) for part in ("X_train", "X_val")}
        widths = [self.flat["X_train"].shape[1], *hidden, 10]
        self.depth = len(hidden)
        self.w = [weight_scale * self.random.randn(a, b) for a, b in itertools.pairwise(widths)]
        self.b = [np.zeros(width) for width in widths[1:]]
        self.gamma = [np.ones(width) for width in hidden] if norm else []
        self.beta = [np.zeros(width) for width in hidden] if norm else []
        self.running_mean = [np.zeros(width) for width in hidden]
        self.running_var = [np.zeros(width) for width in hidden]
        self.losses, self.train_accuracies, self.val_accuracies = [], [], []

    def train(self):
        groups = (self.w, self.b, self.gamma, self.beta)
        m = [[np.zeros_like(p) for p in group] for group in groups]
        v = [[np.zeros_like(p) for p in group] for group in groups]
        steps_an_epoch = len(self.flat["X_train"]) // self.batch_size
        for t in range(1, self.epochs * steps_an_epoch + 1):
            batch = self.random.choice(len(self.flat["X_train"]), self.batch_size)
            loss, gradients = self.loss(self.flat["X_train"][batch], self.data["y_train"][batch])
            self.losses.append(loss)
            for group, group_m, group_v, group_gradients in zip(
                groups, m, v, gradients, strict=True
            ):
                for i, gradient in enumerate(group_gradients):
                    group_m[i] = 0.9 * group_m[i] + 0.1 * gradient
                    group_v[i] = 0.999 * group_v[i] + 0.001 * gradient**2
                    unbiased_m = group_m[i] / (1 - 0.9**t)
                    unbiased_v = group_v[i] / (1 - 0.999**t)
                    group[i] = group[i] - self.lr * unbiased_m / (np.sqrt(unbiased_v) + 1e-8)
            if t == 1 or t % steps_an_epoch == 0:
                self.train_accuracies.append(self.accuracy("X_train", "y_train"))
                self.val_accuracies.append(self.accuracy("X_val", "y_val"))
        return self

    def accuracy(self, X, y):
        scores, _ = self.forward(self.flat[X], training=False)
        return float((scores.argmax(axis=1) == self.data[y]).mean())

    def loss(self, x, y):
        scores, kept = self.forward(x, training=True)
        scores = scores - scores.max(axis=1)[:, None]
        p = np.exp(scores) / np.exp(scores).sum(axis=1)[:, None]
        rows = np.arange(len(y))
        loss = -np.log(p[rows, y]).sum() / len(y)
        p[rows, y] -= 1
        return loss, self.backward(p / len(y), kept)

    def forward(self, x, training):
        kept = []
        for i in range(self.depth):
            a = x.dot(self.w[i]) + self.b[i]
            n, graph = a, None
            if self.norm == "batchnorm" and not training:
                xhat = (a - self.running_mean[i]) / np.sqrt(self.running_var[i] + EPS)
                n = self.gamma[i] * xhat + self.beta[i]
            elif self.norm:
                graph = normalize(a, axis=0 if self.norm == "batchnorm" else 1)
                n = self.gamma[i] * graph["xhat"] + self.beta[i]
                if self.norm == "batchnorm":
                    self.running_mean[i] = 0.9 * self.running_mean[i] + 0.1 * graph["mean"][0]
                    self.running_var[i] = 0.9 * self.running_var[i] + 0.1 * graph["var"][0]
            kept.append((x, graph, n))
            x = n * (n > 0)
        kept.append((x, None, None))
        return x.dot(self.w[-1]) + self.b[-1], kept

    def backward(self, d, kept):
        dw, db, dgamma, dbeta = (
            [None] * len(group) for group in (self.w, self.b, self.gamma, self.beta)
        )
        for i in reversed(range(self.depth + 1)):
            x, graph, n = kept[i]
            if i < self.depth:
                d = d * (n > 0)
                if self.norm:
                    dgamma[i], dbeta[i] = (d * graph["xhat"]).sum(axis=0), d.sum(axis=0)
                    d = normalize_backward(d * self.gamma[i], graph)
            dw[i], db[i] = x.T.dot(d), d.sum(axis=0)
            d = d.dot(self.w[i].T)
        return dw, db, dgamma, dbeta


def normalize(x, axis):
    """xhat = (x - mean) / sqrt(var + eps) along `axis`, every node of the graph kept."""
    mean = x.sum(axis=axis, keepdims=True) / x.shape[axis]
    centred = x - mean
    var = (centred**2).sum(axis=axis, keepdims=True) / x.shape[axis]
    root = np.sqrt(var + EPS)
    inverse = 1 / root
    return {
        "axis": axis,
        "mean": mean,
        "centred": centred,
        "var": var,
        "root": root,
        "inverse": inverse,
        "xhat": centred * inverse,
    }


def normalize_backward(dxhat, graph):
    """Back through the same nodes, one at a time; where two branches leave a node, their gradients add up."""
    axis, centred, root, inverse = (graph[name] for name in ("axis", "centred", "root", "inverse"))
    count = centred.shape[axis]
    dcentred = dxhat * inverse
    dinverse = (dxhat * centred).sum(axis=axis, keepdims=True)
    droot = -dinverse / root**2
    dvar = droot / (2 * root)
    dsquare = np.ones_like(centred) * dvar / count
    dcentred = dcentred + 2 * centred * dsquare
    dmean = -dcentred.sum(axis=axis, keepdims=True)
    return dcentred + np.ones_like(centred) * dmean / count
