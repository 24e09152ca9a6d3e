# ruff: noqa: E501
# code of others is kept as they write it
"""The same mistakes in other hands: planted into styles that share no formula with the staged one."""

from __future__ import annotations

from tests.checker.planting import Plant

BF, BB, BA = "batchnorm_forward", "batchnorm_backward", "batchnorm_backward_alt"
LF, LB = "layernorm_forward", "layernorm_backward"


def _p(style: str, function: str, old: str, new: str, *keys: str) -> tuple[str, Plant]:
    named = tuple(key if "." in key else f"{function}.{key}" for key in keys)
    return style, Plant(f"{style}: {function}: {keys[0]}", {function: [(old, new)]}, named)


PLANTS_IN_STYLES: list[tuple[str, Plant]] = [
    _p("layers_simplified", BB, "(n * dout - dbeta - xhat * dgamma)", "(n * dout - xhat * dgamma)", "mean_path_missing"),
    _p("layers_simplified", BB, "(n * dout - dbeta - xhat * dgamma)", "(n * dout - dbeta)", "variance_path_missing"),
    _p("layers_simplified", BB, "inv / n *", "inv *", "outer_one_over_n_missing"),
    _p("layers_simplified", BB, "gamma * inv / n", "inv / n", "gamma_missing"),
    _p("layers_simplified", BB, "gamma * inv / n", "gamma / n", "std_missing"),
    _p("layers_simplified", BB, "n = len(dout)", "n = dout.shape[1]", "wrong_count", "direct_path_n"),
    _p("layers_simplified", BB, "- xhat * dgamma)", "+ xhat * dgamma)", "variance_path_sign"),
    _p("layers_simplified", BF, "** -0.5", "** -1.0", "divided_by_variance"),
    _p("layers_simplified", BF, "(beta - scale * mean)", "beta", "test_mean_not_subtracted"),
    _p("layers_simplified", LB, "g = dout * gamma", "g = dout", "gamma_missing"),
    _p("layers_simplified", LB, "(g * xhat).sum(1)", "(dout * xhat).sum(1)", "variance_path_from_dout"),
    _p("layers_simplified", LB, "d * g - g.sum(1)[:, None]", "d * g", "mean_path_missing"),
    _p("layers_simplified", LF, "x.var(1)", "x.var(1, ddof=1)", "unbiased"),
    _p("layers_simplified", "svm_loss", "d[range(n), y] = 1 - d.sum(1)", "d[range(n), y] = -1", "minus_one_for_count", "count_overwrites"),
    _p("layers_simplified", "spatial_groupnorm_backward", "- h * (g * h).mean(1, keepdims=True)", "", "variance_path_missing"),
    _p("layers_transposed", BF, "rm * momentum + mu * (1 - momentum)", "mu", "mean_overwritten"),
    _p("layers_transposed", BB, "(d * xhat).sum(1)", "d.sum(1)", "dgamma_is_dbeta"),
    _p("layers_transposed", LB, "dout * gamma, xhat", "dout, xhat", "gamma_missing"),
    _p("layers_transposed", "_normalize_back", "dxhat - dxhat.sum(1)[:, None] - xhat", "dxhat - xhat", "batchnorm_backward.mean_path_missing"),
    _p("layers_transposed", "_normalize_back", "np.sqrt(var + eps)", "(var + eps)", "batchnorm_backward.std_twice"),
    _p("layers_transposed", "_normalize", "np.sqrt(var + eps)", "(np.sqrt(var) + eps)", "batchnorm_forward.eps_outside"),
    _p("layers_transposed", "softmax_loss", "(p - onehot) / y.size", "(onehot - p) / y.size", "gradient_sign"),
    _p("layers_einsum", BB, "dx -= gamma * r * dbeta / N", "pass", "mean_path_missing"),
    _p("layers_einsum", BB, "gamma * r**2", "gamma * r", "variance_path_power", "normalized_for_centred"),
    _p("layers_einsum", BA, "- 1.0 / N - np.einsum", "- np.einsum", "mean_path_missing"),
    _p("layers_einsum", BA, "c, c, r**2) / N", "c, c, r**2)", "variance_path_one_over_n_missing"),
    _p("layers_einsum", LB, "np.einsum(\"nij,nj,n->ni\", J, g, r)", "np.einsum(\"nij,nj,n->ni\", J, dout, r) * gamma", "gamma_outside"),
    _p("layers_einsum", LF, "np.einsum(\"nd,nd->n\", c, c) / D", "np.einsum(\"nd,nd->n\", c, c)", "summed_variance"),
    _p("layers_einsum", "relu_backward", "np.sign(out)", "out", "times_value"),
    _p("layers_loops", BB, "dx[i, j] = dout[i, j] * gamma / std + dmean / N +", "dx[i, j] = dout[i, j] * gamma / std +", "mean_path_missing"),
    _p("layers_loops", BB, "* -1 / std**2", "* 1 / std**2", "variance_path_sign"),
    _p("layers_loops", BB, "(N * std)", "std", "variance_path_one_over_n_missing"),
    _p("layers_loops", BF, "** 2 for v in x[:, j]) / N", "** 2 for v in x[:, j]) / (N - 1)", "unbiased"),
    _p("layers_loops", LB, "dgamma += dout[i] * xhat[i]", "dgamma = dout[i] * xhat[i]", "dgamma_last_only"),
    _p("layers_loops", "svm_loss", "x[i, y[i]] + 1", "x[i, y[i]]", "margin_missing"),
    _p("layers_keepdims", BB, "dx1 + dx2", "dx1", "mean_path_missing"),
    _p("layers_keepdims", BB, "dvar = 0.5 * 1.0", "dvar = 1.0", "factor_half_missing"),
    _p("layers_keepdims", BB, "dxmu2 = 2 * xmu", "dxmu2 = xmu", "factor_two_missing"),
    _p("layers_keepdims", BB, "dgamma.ravel()", "dgamma", "dgamma_keepdims"),
    _p("layers_keepdims", LB, "v**-1.5", "v**-0.5", "variance_path_power"),
    _p("layers_inplace", BB, "dx -= np.mean(dx, axis=0)", "dx -= np.mean(dx)", "mean_path_whole_array"),
    _p("layers_inplace", LF, "xhat = x.T.copy()", "xhat = x.T", "input_overwritten"),
    _p("layers_inplace", "dropout_backward", "dx /= 1 - param[\"p\"]", "pass", "mask_unscaled"),
    _p("layers_course", BB, "(-0.5) * ((sigma_squared_b + eps) ** -1.5)", "(-0.5) * (sigma_squared_b ** -1.5)", "eps_missing_in_variance_path"),
    _p("layers_course", BB, "dx_10 = dx_9_b + dx_7_a", "dx_10 = dx_7_a", "mean_path_missing"),
    _p("layers_course", BA, "dvar * 2.0 / N", "dvar * 2.0", "variance_path_one_over_n_missing"),
    _p("layers_course", "dropout_forward", ">= p) / (1 - p)", ">= p) / p", "mask_inverted"),
    _p("layers_library", "_pull", "(flat - along * saved.xhat)", "flat", "batchnorm_backward.variance_path_missing"),
    _p("layers_library", BA, "np.stack([np.ones(N), cache.xhat[:, j]], axis=1)", "np.stack([np.zeros(N), cache.xhat[:, j]], axis=1)", "mean_path_missing"),
    _p("layers_library", "affine_backward", "return cache.back(dout)", "dx, dw, db = cache.back(dout); return dx, dw / len(dout), db", "dw_divided_by_n"),
    _p("layers_matrix", BB, "S[j, j] * (H - np.outer(xhat[:, j], xhat[:, j]) / N)", "S[j, j] * H", "variance_path_missing"),
    _p("layers_matrix", BB, "S[j, j] * (H -", "S[j, j] * (np.eye(N) -", "mean_path_missing"),
    _p("layers_matrix", LB, "(g @ H -", "(g -", "mean_path_missing"),
]  # fmt: skip
