# ruff: noqa: E501
# code of others is kept as they write it
"""Every mistake of the field notes, as an edit of the staged style, with the finding that must name it."""

from __future__ import annotations

from tests.checker.planting import Plant

Edits = dict[str, list[tuple[str, str]]]


def _p(
    id: str,
    function: str,
    *changes: tuple[str, str],
    named: str | tuple[str, ...],
    shows: str = "wrong",
) -> Plant:
    keys = (named,) if isinstance(named, str) else named
    full = tuple(key if "." in key else f"{function.partition('.')[0]}.{key}" for key in keys)
    return Plant(id, {function: list(changes)}, full, shows)


def _both(id: str, edits: Edits, *named: str, shows: str = "wrong") -> Plant:
    return Plant(id, edits, tuple(named), shows)


ROWS = "rows = x.reshape(N, -1)"
AFFINE = [
    _p("AF1", "affine_forward", (" + b", ""), named="bias_missing"),
    _p("AF2", "affine_forward", (ROWS, "rows = x"), named="not_flattened"),
    _p("AF3", "affine_forward", (ROWS, "rows = x.reshape(-1, N).T"), named="wrong_memory_order"),
    _p(
        "AF4",
        "affine_forward",
        ("cache = (x, w, b)", "cache = (rows, w, b)"),
        named="affine_backward.dx_not_reshaped",
    ),
    _p("AB1", "affine_backward", (".reshape(x.shape)", ""), named="dx_not_reshaped"),
    _p(
        "AB2", "affine_backward", ("dout.sum(axis=0)", "dout.mean(axis=0)"), named="db_divided_by_n"
    ),
    _p("AB3", "affine_backward", ("dout.sum(axis=0)", "dout.sum(axis=1)"), named="db_wrong_axis"),
    _p(
        "AB4",
        "affine_backward",
        ("dout.sum(axis=0)", "dout.sum(axis=0, keepdims=True)"),
        named="db_keepdims",
    ),
    _p("AB5", "affine_backward", ("dout.sum(axis=0)", "np.sum(dout)"), named="db_whole_array"),
    _p("AB6", "affine_backward", (".T.dot(dout)", ".T.dot(dout) / N"), named="dw_divided_by_n"),
    _p("AB7", "affine_backward", ("dw = x", "dw = -x"), named="dw_sign"),
    _p("AB8", "affine_backward", ("w.T", "w"), named="dx_w_not_transposed"),
    _p("AB9", "affine_backward", ("dout.sum(axis=0)", "dout"), named="db_not_summed"),
]
RELU = [
    _p(
        "RF1",
        "relu_forward",
        ("out = np.maximum(0, x)", "x[x < 0] = 0; out = x"),
        named="input_overwritten",
    ),
    _p("RF2", "relu_forward", ("np.maximum(0, x)", "np.abs(x)"), named="absolute_value"),
    _p("RF3", "relu_forward", ("np.maximum(0, x)", "np.maximum(0.01 * x, x)"), named="leaky"),
    _p(
        "RB1",
        "relu_backward",
        ("dx = dout * (x > 0)", "dx = dout; dx[x <= 0] = 0"),
        named="dout_overwritten",
        shows="remark",
    ),
    _p("RB2", "relu_backward", ("(x > 0)", "(dout > 0)"), named="mask_of_dout"),
    _p("RB3", "relu_backward", ("dout * (x > 0)", "(x > 0) * 1.0"), named="dout_missing"),
    _p("RB4", "relu_backward", ("(x > 0)", "np.maximum(x, 0)"), named="times_value"),
    _p("RB5", "relu_backward", ("(x > 0)", "(x < 0)"), named="mask_inverted"),
    _p("RB6", "relu_backward", ("(x > 0)", "(x >= 0)"), named="gradient_at_zero", shows="remark"),
    _p(
        "X16",
        "relu_forward",
        ("out = np.maximum(0, x)", "out = np.maximum(0, x, out=x)"),
        named="input_overwritten",
    ),
]
PICK = "log_probs[np.arange(N), y]"
LOSSES = [
    _p("SM1", "softmax_loss", (f"-{PICK}.sum() / N", f"-{PICK}.sum()"), named="loss_not_averaged"),
    _p("SM2", "softmax_loss", ("dx = dx / N", "pass"), named="gradient_not_averaged"),
    _p(
        "SM3", "softmax_loss", ("dx[np.arange(N), y] -= 1", "pass"), named="gradient_without_target"
    ),
    _p(
        "SM4",
        "softmax_loss",
        ("x.max(axis=1, keepdims=True)", "x.max()"),
        named="shift_of_whole_array",
        shows="remark",
    ),
    _p(
        "SM5",
        "softmax_loss",
        ("x.max(axis=1, keepdims=True)", "x.max(axis=0)"),
        named="shift_wrong_axis",
    ),
    _p("SM6", "softmax_loss", ("x - x.max(axis=1, keepdims=True)", "x"), named="no_shift"),
    _p(
        "SM7",
        "softmax_loss",
        ("powers.sum(axis=1, keepdims=True)", "powers.sum(axis=0, keepdims=True)"),
        named="normalizer_wrong_axis",
    ),
    _p(
        "SM8",
        "softmax_loss",
        ("dx[np.arange(N), y] -= 1", "dx[:, y] -= 1"),
        named="gradient_of_columns",
    ),
    _p("SM9", "softmax_loss", (PICK, "log_probs[:, y]"), named="log_of_columns"),
    _p(
        "SM10",
        "softmax_loss",
        ("dx = dx / N", "dx = dx / x.shape[1]"),
        named="gradient_divided_by_classes",
    ),
    _p("SM11", "softmax_loss", ("dx = dx / N", "dx = -dx / N"), named="gradient_sign"),
    _p(
        "X15",
        "softmax_loss",
        (
            "shifted = x - x.max(axis=1, keepdims=True)",
            "x -= x.max(axis=1, keepdims=True); shifted = x",
        ),
        named="input_overwritten",
    ),
    _p("SV1", "svm_loss", ("margins[np.arange(N), y] = 0", "pass"), named="correct_not_zeroed"),
    _p("SV2", "svm_loss", ("dx[np.arange(N), y] -= num_pos", "pass"), named="count_not_subtracted"),
    _p("SV3", "svm_loss", ("dx = dx / N", "pass"), named="gradient_not_averaged"),
    _p("SV4", "svm_loss", ("correct[:, None]", "correct"), named="correct_not_column"),
    _p("SV5", "svm_loss", (" + 1.0", ""), named="margin_missing"),
    _p("SV6", "svm_loss", ("-= num_pos", "-= 1"), named="minus_one_for_count"),
]
BN = "batchnorm_forward"
TRAIN_STD, TEST_XHAT = (
    "std = np.sqrt(var + eps)",
    "xhat = (x - running_mean) / np.sqrt(running_var + eps)",
)
MU, VAR = "mu = x.mean(axis=0)", "var = (xmu**2).mean(axis=0)"
UPDATE_VAR = "running_var = momentum * running_var + (1 - momentum) * var"
UPDATE_MEAN = "running_mean = momentum * running_mean + (1 - momentum) * mu"
STORE = (
    ('bn_param["running_mean"] = running_mean', "pass"),
    ('bn_param["running_var"] = running_var', "pass"),
)
TRAIN_OUT = "out = gamma * xhat + beta\n        running_mean"
TEST_OUT = "running_var + eps)\n        out = gamma * xhat + beta"
CACHE = "cache = (x, xmu, var, std, xhat, gamma, eps)"
BACK = ("batchnorm_backward", "batchnorm_backward_alt")
BATCHNORM_FORWARD = [
    _p("BF1", BN, (TRAIN_STD, "std = var"), named="divided_by_variance"),
    _p("BF2", BN, (TRAIN_STD, "std = np.sqrt(var) + eps"), named="eps_outside"),
    _p("BF3", BN, (TRAIN_STD, "std = np.sqrt(var)"), named="eps_missing"),
    _p("BF4", BN, (VAR, "var = x.var(axis=0, ddof=1)"), named="unbiased"),
    _p(
        "BF5",
        BN,
        (MU, "mu = x.mean(axis=1, keepdims=True)"),
        (VAR, "var = (xmu**2).mean(axis=1, keepdims=True)"),
        named="wrong_axis",
    ),
    _p("BF6", BN, (MU, "mu = x.mean()"), (VAR, "var = (xmu**2).mean()"), named="whole_array"),
    _p(
        "BF7",
        BN,
        (UPDATE_MEAN, "running_mean = (1 - momentum) * running_mean + momentum * mu"),
        (UPDATE_VAR, "running_var = (1 - momentum) * running_var + momentum * var"),
        named="momentum_swapped",
    ),
    _p("BF8", BN, (UPDATE_MEAN, "pass"), (UPDATE_VAR, "pass"), named="not_updated"),
    _p("BF9", BN, (UPDATE_VAR, UPDATE_VAR.replace("* var", "* std")), named="holds_std"),
    _p(
        "BF10",
        BN,
        (UPDATE_VAR, UPDATE_VAR + " * N / (N - 1)"),
        named="running_unbiased",
        shows="remark",
    ),
    _p(
        "BF11",
        BN,
        (TEST_XHAT, "xhat = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)"),
        named="test_uses_batch",
    ),
    _p(
        "BF12",
        BN,
        (TEST_XHAT, "xhat = (x - running_mean) / (running_var + eps)"),
        named="test_divided_by_variance",
    ),
    _p(
        "BF13",
        BN,
        (TEST_OUT, "running_var + eps)\n        out = xhat"),
        named="test_affine_missing",
    ),
    _p(
        "BF14",
        BN,
        (TEST_XHAT, "xhat = x / np.sqrt(running_var + eps)"),
        named="test_mean_not_subtracted",
    ),
    _p(
        "BF15",
        BN,
        (
            TEST_OUT,
            TEST_OUT
            + "\n        running_mean = momentum * running_mean + (1 - momentum) * x.mean(axis=0)"
            "\n        running_var = momentum * running_var + (1 - momentum) * x.var(axis=0)",
        ),
        named="test_updates_state",
    ),
    _p("BF16", BN, (UPDATE_VAR, UPDATE_VAR.replace("* var", "* mu")), named="holds_mean"),
    _p("BF17", BN, ("xmu = x - mu", "x -= mu; xmu = x"), named="input_overwritten"),
    _p("BF18", BN, (TRAIN_OUT, TRAIN_OUT.replace(" + beta", "")), named="beta_missing"),
    _p("BF19", BN, (TRAIN_OUT, TRAIN_OUT.replace("gamma * ", "")), named="gamma_missing"),
    _p(
        "BF20",
        BN,
        (TRAIN_OUT, TRAIN_OUT.replace("gamma * xhat + beta", "gamma * (xhat + beta)")),
        named="beta_scaled",
    ),
    _p("BF21", BN, *STORE, named="not_updated"),
    _p(
        "BF22",
        BN,
        (CACHE, CACHE.replace("xhat", "out")),
        named=("batchnorm_backward.dgamma_with_out", "batchnorm_backward_alt.out_for_normalized"),
    ),
    _p("BF23", BN, (CACHE, CACHE.replace("xmu", "x")), named="batchnorm_backward.x_for_centred"),
    _p(
        "BF24",
        BN,
        (CACHE, CACHE.replace("var, std", "std, np.sqrt(std + eps)")),
        named="batchnorm_backward.std_as_variance",
    ),
    _p("BF25", BN, (VAR, "var = (x**2).mean(axis=0)"), named="not_centred_variance"),
    _p(
        "BF26",
        BN,
        ("xmu = x - mu", "xmu = x - running_mean"),
        (TRAIN_STD, "std = np.sqrt(running_var + eps)"),
        named="uses_running",
    ),
    _p(
        "BF27",
        BN,
        (
            "out = gamma * xhat + beta\n        running_mean =",
            "xhat = xhat.astype(np.float32).astype(x.dtype); out = gamma * xhat + beta\n        "
            "running_mean =",
        ),
        named="single_precision",
    ),
    _p(
        "X9",
        BN,
        (UPDATE_VAR, UPDATE_VAR.replace("* var", "* std")),
        (TEST_XHAT, "xhat = (x - running_mean) / running_var"),
        named="holds_std",
    ),
]
BB = "batchnorm_backward"
DVAR = "dvar = np.sum(dxhat * xmu * -0.5 * (var + eps) ** -1.5, axis=0)"
DMU = "dmu = np.sum(-dxhat / std, axis=0) + dvar * np.sum(-2 * xmu, axis=0) / N"
DX = "dx = dxhat / std + dvar * 2 * xmu / N + dmu / N"
DGAMMA, DBETA = "dgamma = (dout * xhat).sum(axis=0)", "dbeta = dout.sum(axis=0)"
DXHAT = "dxhat = dout * gamma"
BATCHNORM_BACKWARD = [
    _p("BB1", BB, (DX, "dx = dxhat / std + dvar * 2 * xmu / N"), named="mean_path_missing"),
    _p("BB2", BB, (DX, "dx = dxhat / std + dmu / N"), named="variance_path_missing"),
    _p("BB3", BB, (DX, "dx = dxhat / std"), named="both_paths_missing"),
    _p("BB4", BB, (DXHAT, "dxhat = dout"), named="gamma_missing"),
    _p("BB5", BB, (DMU, "dmu = np.sum(-dxhat / std, axis=0)"), named=(), shows="right"),
    _p(
        "BB6",
        BB,
        (DX, "dx = dxhat / std + dvar * 2 * xmu + dmu / N"),
        named="variance_path_one_over_n_missing",
    ),
    _p("BB7", BB, (DX, "dx = dxhat / std + dvar * xmu / N + dmu / N"), named="factor_two_missing"),
    _p("BB8", BB, (DVAR, DVAR.replace("* -0.5 *", "* -1.0 *")), named="factor_half_missing"),
    _p("BB9", BB, (DVAR, DVAR.replace("* -0.5 *", "* 0.5 *")), named="variance_path_sign"),
    _p("BB10", BB, (DVAR, DVAR.replace("** -1.5", "** -0.5")), named="variance_path_power"),
    _p(
        "BB11", BB, (DVAR, DVAR.replace("(var + eps)", "var")), named="eps_missing_in_variance_path"
    ),
    _p(
        "BB12",
        BB,
        (DX, "dx = dxhat / std + dvar * 2 * xmu / N + dmu"),
        named="mean_path_one_over_n_missing",
    ),
    _p("BB13", BB, (DMU, DMU.replace("-dxhat", "dxhat")), named="mean_path_sign"),
    _p("BB14", BB, (DMU, "dmu = np.mean(-dxhat / std, axis=0)"), named="mean_path_mean_for_sum"),
    _p("BB15", BB, (DVAR, DVAR.replace("np.sum", "np.mean")), named="variance_path_mean_for_sum"),
    _p("BB16", BB, (DGAMMA, "dgamma = (dout * xmu).sum(axis=0)"), named="dgamma_centred"),
    _p(
        "BB17",
        BB,
        (DGAMMA, "dgamma = (dout * gamma * xhat).sum(axis=0)"),
        named="dgamma_with_gamma",
    ),
    _p("BB18", BB, (DGAMMA, "dgamma = (dout * xhat).mean(axis=0)"), named="dgamma_mean"),
    _p("BB19", BB, (DBETA, "dbeta = dout.mean(axis=0)"), named="dbeta_mean"),
    _p(
        "BB20",
        BB,
        (DGAMMA, "dgamma = (dout * xhat).sum(axis=0, keepdims=True)"),
        (DBETA, "dbeta = dout.sum(axis=0, keepdims=True)"),
        named="dgamma_keepdims",
    ),
    _p("BB21", BB, ("N, D = dout.shape", "D, N = dout.shape"), named="wrong_count"),
    _p("BB22", BB, ("N, D = dout.shape", "N = dout.shape[0] - 1"), named="n_minus_one"),
    _p(
        "BB23",
        BB,
        (DMU, "dmu = np.sum(-dxhat / std, axis=0) + dvar * np.sum(-2 * xmu) / N"),
        named=(),
        shows="right",
    ),
    _p("BB24", BB, (DVAR, DVAR.replace(", axis=0", "")), named="variance_path_whole_array"),
    _p("BB25", BB, (DMU, "dmu = np.sum(-dxhat / std)"), named="mean_path_whole_array"),
    _p("BB26", BB, (DVAR, DVAR.replace("dxhat", "dout")), named="variance_path_from_dout"),
    _p("BB27", BB, (DMU, DMU.replace("-dxhat", "-dout")), named="mean_path_from_dout"),
    _p("BB28", BB, (DVAR, DVAR.replace("xmu", "xhat")), named="normalized_for_centred"),
    _p("BB29", BB, (DX, DX.replace("xmu", "xhat")), named="normalized_for_centred"),
    _p("BB30", BB, (DX, DX.replace("dxhat / std", "dxhat * std")), named="multiplied_by_std"),
    _p(
        "BB31",
        BB,
        (DX, DX.replace("dxhat / std", "dxhat / (var + eps)")),
        named="divided_by_variance",
    ),
    _p("BB32", BB, (DXHAT, DXHAT + "; std = np.sqrt(var); eps = 0"), named="eps_missing"),
    _p(
        "BB33",
        BB,
        (DX, "dx = dxhat / std + (1 // N) * (dvar * 2 * xmu + dmu)"),
        named="both_paths_missing",
    ),
    _p("BB34", BB, (DXHAT, "dxhat = dout * gamma * gamma"), named="gamma_twice"),
    _p("BB35", BB, (DX, DX + "; dx = dx / N"), named="extra_one_over_n"),
    _p(
        "BB36",
        BB,
        (DVAR, "dvar = np.sum(dxhat * xmu * -1.0 / (var + eps), axis=0)"),
        named="root_derivative_missing",
    ),
    _p(
        "BB37",
        BB,
        (DXHAT, ""),
        (DBETA, "dout *= gamma; dxhat = dout; dbeta = dout.sum(axis=0)"),
        named="dout_overwritten_by_gamma",
    ),
    _p(
        "BB38",
        BB,
        ("return dx, dgamma, dbeta", "return dx, dbeta, dgamma"),
        named="gamma_beta_order",
    ),
    _p("BB39", BB, (DVAR, DVAR.replace("axis=0", "axis=1")), named="variance_path_wrong_axis"),
    _p("BB40", BB, (DX, "dx = gamma * dout / std"), named="both_paths_missing"),
    _p("X1", BB, (DX, "dx = dxhat / std * (1 - 1 / N) * (1 - xhat**2 / N)"), named="diagonal_only"),
    _p("X4", BB, (DVAR, "dvar = np.sum(dxhat * xmu * -0.5, axis=0)"), named="variance_path_power"),
    _p(
        "X6",
        BB,
        (DVAR, "dvar = dxhat * xmu * -0.5 * (var + eps) ** -1.5"),
        (DMU, "dmu = -dxhat / std"),
        named=("no_sums", "diagonal_only"),
    ),
    _p("X7", BB, (DGAMMA, "dgamma = xhat.sum(axis=0)"), named="dgamma_without_dout"),
    _p(
        "X8",
        BB,
        (DVAR, "dvar = np.sum(dxhat * xmu * -0.5 / var / np.sqrt(var + eps), axis=0)"),
        named="eps_missing_in_variance_path",
    ),
    _p(
        "X13",
        BB,
        (DGAMMA, "dgamma = (dout * xhat).sum(axis=0, keepdims=True)"),
        named="dgamma_keepdims",
    ),
]
BA = "batchnorm_backward_alt"
ALT = "dx = 1 / std * (dxhat - dxhat.mean(axis=0) - xhat * (dxhat * xhat).mean(axis=0))"
BATCHNORM_ALT = [
    _p("BA1", BA, (" - dxhat.mean(axis=0)", ""), named="mean_path_missing"),
    _p("BA2", BA, (" - xhat * (dxhat * xhat).mean(axis=0)", ""), named="variance_path_missing"),
    _p("BA3", BA, ("- xhat *", "+ xhat *"), named="variance_path_sign"),
    _p(
        "BA4",
        BA,
        ("- dxhat.mean(axis=0)", "- dxhat.sum(axis=0)"),
        named="mean_path_one_over_n_missing",
    ),
    _p(
        "BA5",
        BA,
        ("(dxhat * xhat).mean", "(dxhat * xhat).sum"),
        named="variance_path_one_over_n_missing",
    ),
    _p("BA6", BA, (DXHAT, "dxhat = dout"), named="gamma_missing"),
    _p("BA7", BA, ("1 / std * ", ""), named="std_missing"),
    _p(
        "BA8",
        BA,
        ("(dxhat * xhat).mean(axis=0)", "(dxhat * xhat).mean()"),
        named="variance_path_whole_array",
    ),
    _p(
        "BA9",
        BA,
        (ALT, "dx = 1 / std * (N * dxhat - dxhat.sum(axis=0) - xhat * (dxhat * xhat).sum(axis=0))"),
        named="outer_one_over_n_missing",
    ),
    _p(
        "BA10",
        BA,
        ("xhat * (dxhat * xhat).mean(axis=0)", "xmu * (dxhat * xmu).mean(axis=0) / var"),
        named="eps_missing_in_variance_path",
    ),
    _p(
        "BA11",
        BA,
        (
            ALT,
            ALT.replace("(dxhat - dxhat.mean", "(dxhat - dout.mean").replace(
                "(dxhat * xhat)", "(dout * xhat)"
            ),
        ),
        named="gamma_only_first",
    ),
    _p(
        "BA12",
        BA,
        (
            ALT,
            "dx = 1 / std * (dxhat - dxhat.sum(axis=0) / (N - 1) - xhat * (dxhat * "
            "xhat).sum(axis=0) / (N - 1))",
        ),
        named="n_minus_one",
    ),
    _p(
        "X2",
        BA,
        (
            "x, xmu, var, std, xhat, gamma, eps = cache",
            "x, gamma, var, std, xhat, xmu, eps = cache",
        ),
        named=("roles_swapped",),
    ),
    _p("X3", BA, ("1 / std * ", "var * "), named="variance_for_std"),
    _p(
        "X5",
        BA,
        (
            ALT,
            "dx = gamma / (N * std) * (N * dout - dout.sum(axis=0)) - xmu / (var + eps) * (dout * "
            "xmu).sum(axis=0)",
        ),
        named=("precedence", "variance_path_factor"),
    ),
]
LN, LB = "layernorm_forward", "layernorm_backward"
LMU, LVAR = "mu = x.mean(axis=1, keepdims=True)", "var = (xmu**2).mean(axis=1, keepdims=True)"
FIRST = "first = dxhat.sum(axis=1, keepdims=True) / D"
SECOND = "second = xhat * (dxhat * xhat).sum(axis=1, keepdims=True) / D"
LAYERNORM = [
    _p(
        "LF1",
        LN,
        (LMU, "mu = x.mean(axis=0)"),
        (LVAR, "var = (xmu**2).mean(axis=0)"),
        named="wrong_axis",
    ),
    _p(
        "LF2",
        LN,
        (LMU, "mu = x.mean(axis=1)"),
        (LVAR, "var = x.var(axis=1)"),
        named="keepdims_missing",
    ),
    _p("LF3", LN, (LVAR, "var = x.var(axis=1, keepdims=True, ddof=1)"), named="unbiased"),
    _p("LF4", LN, (TRAIN_STD, "std = np.sqrt(var) + eps"), named="eps_outside"),
    _p("LF5", LN, (TRAIN_STD, "std = var"), named="divided_by_variance"),
    _p("LF6", LN, (TRAIN_STD, "std = np.sqrt(var)"), named="eps_missing"),
    _p("LF7", LN, (LMU, "mu = x.mean()"), (LVAR, "var = (xmu**2).mean()"), named="whole_array"),
    _p(
        "LF8",
        LN,
        ("out = gamma * xhat + beta", "out = (gamma * xhat.T + beta).T"),
        named="gamma_per_row",
    ),
    _p(
        "LB1",
        LB,
        (FIRST, "first = dxhat.mean(axis=0)"),
        (SECOND, "second = xhat * (dxhat * xhat).mean(axis=0)"),
        named="wrong_axis",
    ),
    _p(
        "LB2",
        LB,
        (DGAMMA, "dgamma = (dout * xhat).sum(axis=1)"),
        (DBETA, "dbeta = dout.sum(axis=1)"),
        named="dgamma_wrong_axis",
    ),
    _p("LB3", LB, ("dxhat - first - second", "dxhat - second"), named="mean_path_missing"),
    _p("LB4", LB, ("dxhat - first - second", "dxhat - first"), named="variance_path_missing"),
    _p("LB5", LB, ("N, D = dout.shape", "D, N = dout.shape"), named="wrong_count"),
    _p(
        "LB6",
        LB,
        (DXHAT, "dxhat = dout"),
        ("dx = (dxhat - first - second) / std", "dx = gamma * (dxhat - first - second) / std"),
        named="gamma_outside",
    ),
    _p("LB7", LB, (DXHAT, "dxhat = dout"), named="gamma_missing"),
    _p(
        "LB8",
        LB,
        (DGAMMA, "dgamma = (dout * xhat).sum(axis=0, keepdims=True)"),
        named="dgamma_keepdims",
    ),
]
DF, DB = "dropout_forward", "dropout_backward"
MASK = "mask = (np.random.rand(*x.shape) < p) / p"
DROPOUT = [
    _p("DF1", DF, (MASK, MASK.replace("<", ">")), named="mask_inverted"),
    _p("DF2", DF, (MASK, MASK.replace(" / p", "")), named="not_inverted"),
    _p(
        "DF3",
        DF,
        (MASK, "mask = (np.random.rand(*x.shape) < (1 - p)) / (1 - p)"),
        named="keep_and_drop_confused",
    ),
    _p("DF4", DF, (MASK, MASK.replace("rand(", "randn(")), named="normal_for_uniform"),
    _p("DF5", DF, ("out = x\n", "out = x * p\n"), named="test_scaled"),
    _p("DF6", DF, (MASK, MASK.replace("*x.shape", "*x.shape[1:]")), named="whole_columns"),
    _p("DF7", DF, ("out = x * mask", "x *= mask; out = x"), named="input_overwritten"),
    _p("DB1", DB, ("dx = dout * mask", "dx = dout * mask / p"), named="scaled_twice"),
    _p("DB2", DB, ("dx = dout * mask", "dx = dout * (mask > 0)"), named="mask_unscaled"),
    _p("DB3", DB, ("dx = dout * mask", "dx = dout"), named="no_mask"),
]
SF, SB = "spatial_batchnorm_forward", "spatial_batchnorm_backward"
GF, GB = "spatial_groupnorm_forward", "spatial_groupnorm_backward"
FLAT, FLATD = (
    "flat = x.transpose(0, 2, 3, 1).reshape(-1, C)",
    "flat = dout.transpose(0, 2, 3, 1).reshape(-1, C)",
)
OUT, DOUT = (
    "out = out.reshape(N, H, W, C).transpose(0, 3, 1, 2)",
    "dx = dx.reshape(N, H, W, C).transpose(0, 3, 1, 2)",
)
AXES = "axis=(2, 3, 4)"
SPATIAL = [
    _p(
        "SF1",
        SF,
        (FLAT, "flat = x.reshape(-1, C)"),
        (OUT, "out = out.reshape(N, C, H, W)"),
        named="not_transposed",
    ),
    _p("SF2", SF, (OUT, "out = out.reshape(N, C, H, W)"), named="not_transposed_back"),
    _p(
        "SF3",
        SF,
        (
            FLAT,
            "flat = x.reshape(N, -1); gamma = np.repeat(gamma, H * W); beta = np.repeat(beta, H * "
            "W); bn_param = {'mode': 'train', 'eps': bn_param.get('eps', 1e-5)}",
        ),
        (OUT, "out = out.reshape(N, C, H, W)"),
        named="per_pixel",
    ),
    _p(
        "SF4",
        SF,
        (FLAT, "flat = x.transpose(0, 3, 2, 1).reshape(-1, C)"),
        (OUT, "out = out.reshape(N, W, H, C).transpose(0, 3, 2, 1)"),
        named=(
            "spatial_batchnorm_backward.dout_other_order",
            "spatial_batchnorm_backward.dx_not_transposed_back",
        ),
    ),
    _both(
        "SF5",
        {
            SF: [
                (FLAT, "flat = x.swapaxes(1, 3).reshape(-1, C)"),
                (OUT, "out = out.reshape(N, W, H, C).swapaxes(1, 3)"),
            ],
            SB: [(FLATD, "flat = dout.swapaxes(1, 3).reshape(-1, C)")],
        },
        "spatial_batchnorm_backward.dx_not_transposed_back",
    ),
    _p("SB1", SB, (FLATD, "flat = dout.reshape(-1, C)"), named="dout_not_transposed"),
    _p("SB2", SB, (DOUT, "dx = dx.reshape(N, C, H, W)"), named="dx_not_transposed_back"),
    _p(
        "SB3",
        SB,
        (DOUT, "dx = dx.reshape(N, W, H, C).transpose(0, 3, 2, 1)"),
        named="dx_not_transposed_back",
    ),
    _p(
        "X23",
        SF,
        (FLAT, "flat = None"),
        (
            "out, cache = batchnorm_forward(flat, gamma, beta, bn_param)",
            "rm, rv = bn_param.pop('running_mean', None), bn_param.pop('running_var', None)\n    "
            "bn_param.update({} if rm is None else {'running_mean': rm[:1], 'running_var': "
            "rv[:1]})\n    outs = [batchnorm_forward(x[:, c].reshape(-1, 1), gamma[c], beta[c], "
            "bn_param) for c in range(C)]\n    out = np.stack([o[0].reshape(N, H, W) for o in "
            "outs], axis=1)\n    cache = None",
        ),
        (OUT, "pass"),
        named="shared_bn_param",
    ),
    _p("X26", SF, (OUT, "out = np.resize(out, (N, H, C, W)).swapaxes(2, 3)"), named="shape"),
    _p(
        "GF1",
        GF,
        ("split = x.reshape(N, G, C // G, H, W)", "split = x.reshape(N, 1, C, H, W)"),
        named="groups_ignored",
    ),
    _p(
        "GF2",
        GF,
        ("split = x.reshape(N, G, C // G, H, W)", "split = x.reshape(N, C // G, G, H, W)"),
        named="group_size_for_count",
    ),
    _p("GF3", GF, (AXES, "axis=(0, 2, 3, 4)"), named="over_batch"),
    _p("GB1", GB, ("axis=(0, 2, 3), keepdims=True", "axis=(0, 2, 3)"), named="gradient_shape"),
    _p(
        "GB2",
        GB,
        ("dxhat.sum(axis=(2, 3, 4), keepdims=True) / M", "dxhat.mean(axis=2, keepdims=True)"),
        (
            "(dxhat * xhat).sum(axis=(2, 3, 4), keepdims=True) / M",
            "(dxhat * xhat).mean(axis=2, keepdims=True)",
        ),
        named="reduced_over_part",
    ),
    _p(
        "GB3",
        GB,
        ("dxhat = (dout * gamma)", "dxhat = dout"),
        (" / std).reshape(N, C, H, W)", " / std).reshape(N, C, H, W) * gamma"),
        named="gamma_outside",
    ),
    _p("GB4", GB, ("dxhat - first - second", "dxhat - second"), named="mean_path_missing"),
    _p("X24", GF, (AXES, "axis=2"), named="per_pixel_slices"),
    _p("X25", GB, ("M = C // G * H * W", "M = N * G"), named="wrong_count"),
    _p(
        "X21",
        "max_pool_backward_naive",
        (
            "a, b = np.unravel_index(np.argmax(window), window.shape)",
            "a, b = np.where(window == window.max())",
        ),
        named="ties_to_all",
        shows="remark",
    ),
    _p("X22", "max_pool_backward_naive", ("+= dout", "= dout"), named="overlap_overwritten"),
]
SM, RM, AD = "sgd_momentum", "rmsprop", "adam"
V, STEP = 'v = config["momentum"] * v - config["learning_rate"] * dw', "next_w = w + v"
CACHE_LINE = "cache = decay * old + (1 - decay) * dw**2"
R_STEP = "next_w = w - lr * dw / (np.sqrt(cache) + eps)"
A_STEP = "next_w = w - lr * mhat / (np.sqrt(vhat) + eps)"
MHAT, VHAT = "mhat = m / (1 - b1**t)", "vhat = v / (1 - b2**t)"
OPTIMIZERS = [
    _p("OM1", SM, (V, V.replace("- config", "+ config")), named="velocity_sign"),
    _p("OM2", SM, (STEP, "next_w = w - v"), named="step_sign"),
    _p(
        "OM3",
        SM,
        (V, 'v = config["momentum"] * v - dw'),
        (STEP, 'next_w = w + config["learning_rate"] * v'),
        named="rate_at_update",
    ),
    _p(
        "OM4",
        SM,
        (
            V,
            V.replace(
                '- config["learning_rate"]', '- (1 - config["momentum"]) * config["learning_rate"]'
            ),
        ),
        named="damped",
    ),
    _p(
        "OM5",
        SM,
        (STEP, 'next_w = w + config["momentum"] * v - config["learning_rate"] * dw'),
        named="nesterov",
    ),
    _p(
        "OM6",
        SM,
        ('config["velocity"] = v', "pass"),
        named=("velocity_not_stored", "state_key_missing"),
    ),
    _p("OM7", SM, (STEP, "next_w = w + old_v"), named="old_velocity"),
    _p("OM8", SM, (STEP, 'next_w = w - config["learning_rate"] * dw'), named="velocity_unused"),
    _p(
        "OR1",
        RM,
        (R_STEP, "next_w = w - lr * dw / np.sqrt(cache + eps)"),
        named="eps_inside",
        shows="remark",
    ),
    _p("OR2", RM, (CACHE_LINE, "cache = (1 - decay) * old + decay * dw**2"), named="decay_swapped"),
    _p("OR3", RM, (R_STEP, "next_w = w - lr * dw / (cache + eps)"), named="root_missing"),
    _p("OR4", RM, (R_STEP, R_STEP.replace("cache", "old")), named="old_cache"),
    _p("OR5", RM, (CACHE_LINE, "cache = old + dw**2"), named="accumulated"),
    _p("OR6", RM, (CACHE_LINE, CACHE_LINE.replace("dw**2", "dw")), named="not_squared"),
    _p("OR7", RM, (R_STEP, R_STEP.replace("w - lr", "w + lr")), named="sign"),
    _p("X17", RM, (R_STEP, R_STEP.replace("+ eps", "* eps")), named="eps_multiplied"),
    _p("OA1", AD, (MHAT, "mhat = m"), (VHAT, "vhat = v"), named="no_bias_correction"),
    _p(
        "OA2",
        AD,
        ('t = config["t"] + 1', 't = config["t"]'),
        ('config["t"] = t', 'config["t"] = t + 1'),
        named="t_late",
    ),
    _p("OA3", AD, ('t = config["t"] + 1', 't = config["t"]'), named="t_not_incremented"),
    _p(
        "OA4",
        AD,
        ('config["m"] = m', 'config["m"] = mhat'),
        ('config["v"] = v', 'config["v"] = vhat'),
        named="corrected_stored",
    ),
    _p(
        "OA5",
        AD,
        (A_STEP, "next_w = w - lr * mhat / np.sqrt(vhat + eps)"),
        named="eps_inside",
        shows="remark",
    ),
    _p("OA6", AD, (VHAT, "vhat = v"), named="first_only_corrected"),
    _p("OA7", AD, (MHAT, "mhat = m"), named="second_only_corrected"),
    _p("OA8", AD, ("dw**2", "dw"), named="not_squared"),
    _p(
        "OA9",
        AD,
        ('config["beta1"], config["beta2"]', 'config["beta2"], config["beta1"]'),
        named="betas_swapped",
    ),
    _p(
        "OA10",
        AD,
        (MHAT, "mhat = m / (1 - b1 * t)"),
        (VHAT, "vhat = v / np.abs(1 - b2 * t)"),
        (A_STEP, A_STEP.replace("np.sqrt(vhat)", "np.sqrt(v / (1 - b2 * t))")),
        named=("power_times", "not_finite"),
    ),
    _p("OA11", AD, (A_STEP, A_STEP.replace("np.sqrt(vhat)", "vhat")), named="root_missing"),
    _p("OA12", AD, (VHAT, "vhat = v / (1 - b1**t)"), named="one_beta_corrects"),
    _p(
        "OA13",
        AD,
        (MHAT, "mhat = m / (1 - b1)"),
        (VHAT, "vhat = v / (1 - b2)"),
        named="power_missing",
    ),
    _p("OA14", AD, ('config["m"] = m', 'config["m"] = mhat'), named="corrected_stored"),
    _p("OA15", AD, ('t = config["t"] + 1', 't = config["t"] + 2'), named="t_twice"),
    _p("OA16", AD, ('config["t"] = t', "pass"), named="t_not_stored"),
    _p(
        "X18",
        AD,
        (MHAT, "mhat = m / (1 - b1**2)"),
        (VHAT, "vhat = v / (1 - b2**2)"),
        named="power_two",
    ),
    _p(
        "X19",
        AD,
        ('config["m"] = m', "pass"),
        ('config["v"] = v', "pass"),
        named="state_not_stored",
    ),
    _p(
        "X20",
        AD,
        ('config.setdefault("t", 0)', 'config.setdefault("t", 1)'),
        named="t_starts_at_one",
        shows="remark",
    ),
]
FN, INIT, LOSS = "FullyConnectedNet", "FullyConnectedNet.__init__", "FullyConnectedNet.loss"
PENALTY = 'loss += 0.5 * self.reg * np.sum(p["W%d" % i] ** 2)'
DECAY = '        for i in range(1, L + 1):\n            grads["W%d" % i] += self.reg * p["W%d" % i]'
NORM_FORWARD = """            z, norm_cache = a, None
            if self.normalization == "batchnorm":
                z, norm_cache = batchnorm_forward(a, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
            elif self.normalization == "layernorm":
                z, norm_cache = layernorm_forward(a, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
            h, relu_cache = relu_forward(z)
"""
NORM_FIRST = """            h, norm_cache = relu_forward(a)[0], None
            z, relu_cache = relu_forward(a)
            if self.normalization == "batchnorm":
                h, norm_cache = batchnorm_forward(z, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
            elif self.normalization == "layernorm":
                h, norm_cache = layernorm_forward(z, p["gamma%d" % i], p["beta%d" % i], self.bn_params[i - 1])
"""
BACKWARD = """            da = relu_backward(dh, relu_cache)
            if self.normalization == "batchnorm":
                da, grads["gamma%d" % i], grads["beta%d" % i] = batchnorm_backward(da, norm_cache)
            elif self.normalization == "layernorm":
                da, grads["gamma%d" % i], grads["beta%d" % i] = layernorm_backward(da, norm_cache)
"""
RELU_LAST = """            da = dh
            if self.normalization == "batchnorm":
                da, grads["gamma%d" % i], grads["beta%d" % i] = batchnorm_backward(da, norm_cache)
            elif self.normalization == "layernorm":
                da, grads["gamma%d" % i], grads["beta%d" % i] = layernorm_backward(da, norm_cache)
            da = relu_backward(da, relu_cache)
"""
SCORES = 'scores, last_cache = affine_forward(h, p["W%d" % L], p["b%d" % L])'
NETS = [
    _p("FW1", LOSS, (PENALTY, PENALTY.replace("0.5 * ", "")), named="reg_loss_half_missing"),
    _p(
        "FW2",
        LOSS,
        (DECAY, DECAY.replace("range(1, L + 1)", "range(L, L + 1)")),
        named="reg_gradient_hidden_missing",
    ),
    _p("FW3", LOSS, (DECAY, DECAY.replace("+= self", "+= 0.5 * self")), named="reg_gradient_half"),
    _p("FW4", LOSS, (DECAY, DECAY.replace("+= self", "+= 2 * self")), named="reg_gradient_double"),
    _p(
        "FW5",
        LOSS,
        (PENALTY, "pass"),
        ("grads = {}", 'grads = {}; loss += 0.5 * self.reg * np.sum(p["W%d" % L] ** 2)'),
        named="reg_loss_last_only",
    ),
    _p(
        "FW6",
        LOSS,
        (PENALTY, PENALTY + ' + 0.5 * self.reg * np.sum(p["b%d" % i] ** 2)'),
        named="biases_regularized",
    ),
    _p(
        "FW7",
        LOSS,
        (
            PENALTY,
            PENALTY
            + '\n            loss += 0.5 * self.reg * sum(np.sum(p[k] ** 2) for k in p if k[0] in "g" and k.endswith(str(i)))'
            '\n            loss += 0.5 * self.reg * sum(np.sum(p[k] ** 2) for k in p if k[:2] == "be" and k.endswith(str(i)))',
        ),
        named="norm_parameters_regularized",
    ),
    _p("FW8", LOSS, ("self.bn_params[i - 1]", "self.bn_params[0]"), named="shared_bn_param"),
    _p("FW9", LOSS, (NORM_FORWARD, NORM_FIRST), (BACKWARD, RELU_LAST), named="norm_after_relu"),
    _p(
        "FW10",
        INIT,
        ('in ("batchnorm", "layernorm") and i < self.num_layers', 'in ("batchnorm", "layernorm")'),
        named="extra_keys",
    ),
    _p(
        "FW11",
        INIT,
        ('self.params["gamma%d" % i] = np.ones', 'self.params["gamma%d" % i] = np.zeros'),
        named="gamma_not_ones",
    ),
    _p("FW12", LOSS, (BACKWARD, RELU_LAST), named="backward_order"),
    _both(
        "FW13",
        {
            INIT: [('in ("batchnorm", "layernorm")', '== "batchnorm"')],
            LOSS: [('elif self.normalization == "layernorm":', "elif False:")],
        },
        "FullyConnectedNet",
        shows="unwritten",
    ),
    _p(
        "FW14",
        LOSS,
        ('grads["gamma%d" % i], grads["beta%d" % i]', 'grads["beta%d" % i], grads["gamma%d" % i]'),
        named="norm_keys_swapped",
    ),
    _p(
        "FW15",
        INIT,
        (
            "for i in range(1, self.num_layers + 1):",
            "for i in [1, self.num_layers] + list(range(2, self.num_layers)):",
        ),
        named="draw_order",
        shows="remark",
    ),
    _p("FW16", LOSS, ("do_cache = caches[i - 1]", "do_cache = caches[i - 2]"), named="wrong_cache"),
    _p(
        "FW17",
        LOSS,
        (SCORES, SCORES + "; scores, last_relu = relu_forward(scores)"),
        (
            'dh, grads["W%d" % L]',
            'dscores = relu_backward(dscores, last_relu)\n        dh, grads["W%d" % L]',
        ),
        named="relu_on_scores",
    ),
    _p(
        "FW18",
        LOSS,
        ("h, relu_cache = relu_forward(z)", "h, relu_cache = relu_forward(z)[0], a"),
        named="relu_cache_before_norm",
    ),
    _p(
        "FW19",
        LOSS,
        ("dh = dropout_backward(dh, do_cache)", "pass"),
        named="dropout_backward_skipped",
    ),
    _p(
        "FW20",
        LOSS,
        ("h, relu_cache = relu_forward(z)\n", "h = z\n"),
        (
            "h, do_cache = dropout_forward(h, self.dropout_param)\n",
            "h, do_cache = dropout_forward(h, self.dropout_param)\n            h, relu_cache = "
            "relu_forward(h)\n",
        ),
        (
            "            if self.use_dropout:\n                dh = dropout_backward(dh, "
            "do_cache)\n            da = relu_backward(dh, relu_cache)\n",
            "            da = relu_backward(dh, relu_cache)\n            if self.use_dropout:\n   "
            "             da = dropout_backward(da, do_cache)\n",
        ),
        named=(),
        shows="right",
    ),
    _p("FW21", LOSS, (PENALTY, "pass"), named="reg_loss_missing"),
    _p("FW22", INIT, ("weight_scale * np.random", "np.random"), named="weight_scale_ignored"),
    _p(
        "FW23",
        LOSS,
        ('bn_param["mode"] = mode', 'bn_param["mode"] = "train"'),
        named="test_mode_missing",
    ),
    _p(
        "FW24",
        LOSS,
        (DECAY, DECAY.replace("range(1, L + 1)", "range(1, L)")),
        named="reg_gradient_last_missing",
    ),
    _both(
        "X10",
        {
            LOSS: [
                ("layernorm_forward(a", "batchnorm_forward(a"),
                ("layernorm_backward(da", "batchnorm_backward(da"),
            ],
            INIT: [("self.bn_params = [{} for i", "self.bn_params = [{'mode': 'train'} for i")],
        },
        "FullyConnectedNet.batch_norm_for_layer_norm",
    ),
    _both(
        "X11",
        {
            INIT: [('in ("batchnorm", "layernorm")', '== "batchnorm"')],
            LOSS: [('elif self.normalization == "layernorm":', "elif False:")],
        },
        "FullyConnectedNet",
        shows="unwritten",
    ),
    _p(
        "X12", LOSS, ('bn_param["mode"] = mode', "bn_param[mode] = mode"), named="test_mode_missing"
    ),
    _p(
        "X14",
        LOSS,
        ("grads = {}\n", "grads = {}; dscores = dscores * np.ones(1)\n"),
        named="dtype_leak",
        shows="remark",
    ),
    _both(
        "X27",
        {
            INIT: [
                ('self.params["W%d" % i]', 'self.params["W%d" % (i - 1)]'),
                ('self.params["b%d" % i]', 'self.params["b%d" % (i - 1)]'),
            ]
        },
        "FullyConnectedNet.keys_from_zero",
    ),
]
SEEN_SINCE = [  # in published code, beyond the field notes
    _p(
        "S1",
        LOSS,
        ('self.reg * p["W%d" % i]', 'self.reg * np.sum(p["W%d" % i])'),
        named="reg_gradient_summed",
    ),
    _p(
        "S2",
        LOSS,
        (DECAY, DECAY.replace('* p["W%d" % i]', '* np.sum(p["W%d" % i])').replace("L + 1", "L")),
        named="reg_gradient_summed",
    ),
]
PLANTS = [
    *AFFINE, *RELU, *LOSSES, *BATCHNORM_FORWARD, *BATCHNORM_BACKWARD, *BATCHNORM_ALT, *LAYERNORM, *DROPOUT, *SPATIAL,
    *OPTIMIZERS, *NETS, *SEEN_SINCE,
]  # fmt: skip
