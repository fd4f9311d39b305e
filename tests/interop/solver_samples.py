"""Samples that look like a layer's responses, with fixed seeds, and edits that make them
special."""
import numpy as np

import solver_reference as ref


def draw_inputs(rng, n, p):
    """x >= 0 as behind a ReLU, correlated, with a falling spectrum; xhat: the same images in
    a network whose earlier layer lost its weakest directions."""
    mix = np.linalg.qr(rng.standard_normal((p, p)))[0]
    scale = (1.0 + np.arange(p)) ** -0.6 * np.sqrt(p) / 2
    pre = rng.standard_normal((n, p)) * scale
    lost = pre * (np.arange(p) < p // 3) + 0.1 * rng.standard_normal((n, p)) * scale
    shift = 0.2 * rng.standard_normal(p)
    return np.maximum(pre @ mix + shift, 0), np.maximum(lost @ mix + shift, 0)


def draw_layer(seed, d, p, n, zeros, has_shortcut=False, edit=None, groups=1, kernel=(1, 1),
               spatial=0):
    """A dict of float32 arrays: target, yhat, shortcut (or None), w [d, p / groups], bias, and
    the patches x. zeros: share of zeros after the ReLU. edit(arrays, rng) changes them for a
    special case. spatial: rank of the spatial part whose responses yhat has (0: none)."""
    rng = np.random.default_rng(seed)
    x, xhat = draw_inputs(rng, n, p)
    q = p // groups
    w = rng.standard_normal((d, q)) * (1.0 + np.arange(q)) ** -0.3 / np.sqrt(q)
    w = w.astype(np.float32).astype(np.float64)
    used = ref.spatial_filters(w, kernel, spatial, groups) if spatial else w
    y = ref.respond(w, x, groups)
    share = np.clip(zeros + 0.15 * rng.standard_normal(d), 0.02, 0.995)
    bias = -np.array([np.quantile(y[:2000, j], share[j]) for j in range(d)])
    arrays = {"target": y + bias, "yhat": ref.respond(used, xhat, groups) + bias,
              "shortcut": None, "w": w, "bias": bias, "x": xhat, "used": used}
    if has_shortcut:
        mix = rng.standard_normal((d // 3, d)) / np.sqrt(d)
        code = rng.standard_normal((n, d // 3))
        arrays["target"] = arrays["target"] + np.maximum(code @ mix, 0)
        code = code + 0.15 * rng.standard_normal(code.shape)
        arrays["shortcut"] = np.maximum(code @ mix, 0)
    if edit:
        edit(arrays, rng)
    return {k: None if v is None else np.ascontiguousarray(v, dtype=np.float32)
            for k, v in arrays.items()}


def dead_and_copied(a, rng):
    """Channels that never vary (one of them only in the original network), copies, and one
    that is the sum of two others up to rounding."""
    for j, value in ((3, 0.75), (11, -2.0), (40, 0.0)):
        a["target"][:, j] = a["yhat"][:, j] = value
    a["target"][:, 20] = 1.5
    for j, k in ((5, 6), (7, 8), (9, 60)):
        a["target"][:, k], a["yhat"][:, k] = a["target"][:, j], a["yhat"][:, j]


def constant_regressor(a, rng):
    a["yhat"] = np.broadcast_to(np.linspace(-1, 2, a["yhat"].shape[1]), a["yhat"].shape)


def constant_everything(a, rng):
    constant_regressor(a, rng)
    a["target"] = a["yhat"] + 0.25


def same_input(a, rng):
    a["yhat"] = a["target"].copy()


def scaled(*factors):
    def edit(a, rng):
        scale = np.geomspace(factors[0], factors[-1], a["yhat"].shape[1])
        a["target"], a["yhat"] = a["target"] * scale, a["yhat"] * scale
    return edit


def never_positive(a, rng):
    a["target"] = -np.abs(a["target"]) - 0.01


def far_means(size):
    def edit(a, rng):
        a["yhat"] = a["yhat"] + size * rng.uniform(-1, 1, a["yhat"].shape[1])
    return edit


def far_target(a, rng):
    """Everything far from zero, so nothing is cut off by the ReLU of the channels above."""
    offset = 40 * rng.uniform(-1, 1, a["yhat"].shape[1])
    a["target"], a["yhat"] = a["target"] + offset, a["yhat"] + offset
