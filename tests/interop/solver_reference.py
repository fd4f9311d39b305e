"""The per-layer solvers and the rank selection once more, in NumPy and double precision.

Written from the published method (Zhang, Zou, Ming, He, Sun, CVPR 2015, equation numbers
below; TPAMI 2016) and not from the C sources, to be compared with them. Straightforward on
purpose: responses are matrices with one row per position (the transpose of the paper's Y),
everything is held in memory, nothing is blocked.

solver_selftest.py tests it: the z step against a grid, the closed forms of reduced-rank
regression against each other, the relaxed objective, the greedy selection against a plain
loop and against every allocation.
"""
import numpy as np

GRAM_CUT = 1e-12  # eigenvalues of a Gram matrix below this share of the largest are zero
FEW_ROWS, RIDGE_ROWS = 8, 3  # below FEW_ROWS rows a filter: a ridge, worth RIDGE_ROWS rows


# Piecewise linear activations (lo, hi, slope below lo).
IDENTITY = (-np.inf, np.inf, 0.0)
RELU = (0.0, np.inf, 0.0)


def activate(x, act):
    lo, hi, slope = act
    return np.minimum(np.maximum(x, lo) + slope * np.minimum(x - lo, 0) if slope else
                      np.maximum(x, lo), hi)


class LowRank:
    """y ~ M y + b with M = P Q^T; p and q are [d, rank]."""

    def __init__(self, p, q, b, iterations=0, best=0):
        self.p, self.q, self.b = p, q, b
        self.iterations, self.best = iterations, best

    def matrix(self):
        return self.p @ self.q.T

    def apply(self, y):
        return (y @ self.q) @ self.p.T + self.b


class Samples:
    """target, yhat, shortcut (or None): [n, d]; the first n_fit rows are fitted, the next
    n_valid choose the iterate, the rest is held out."""

    def __init__(self, target, yhat, shortcut, n_fit, n_valid, act, is_symmetric=False):
        self.target = np.asarray(target, dtype=np.float64)
        self.yhat = np.asarray(yhat, dtype=np.float64)
        self.shortcut = None if shortcut is None else np.asarray(shortcut, dtype=np.float64)
        self.n_fit, self.n_valid, self.act = n_fit, n_valid, act
        self.is_symmetric = is_symmetric

    def rows(self, first, end):
        s = 0.0 if self.shortcut is None else self.shortcut[first:end]
        return self.target[first:end], self.yhat[first:end], s

    def parts(self):
        n = len(self.target)
        return {"fit": (0, self.n_fit), "valid": (self.n_fit, self.n_fit + self.n_valid),
                "held": (self.n_fit + self.n_valid, n)}


    def group(self, j, groups):
        """The samples of one group of channels."""
        d = self.target.shape[1] // groups
        cut = slice(j * d, (j + 1) * d)
        return Samples(self.target[:, cut], self.yhat[:, cut],
                       None if self.shortcut is None else self.shortcut[:, cut],
                       self.n_fit, self.n_valid, self.act, self.is_symmetric)


def join_groups(models):
    """One solution that is block diagonal."""
    def blocks(parts):
        out = np.zeros((sum(len(x) for x in parts), sum(x.shape[1] for x in parts)))
        row = column = 0
        for x in parts:
            out[row:row + len(x), column:column + x.shape[1]] = x
            row, column = row + len(x), column + x.shape[1]
        return out
    if len(models) == 1:
        return models[0]
    return LowRank(blocks([m.p for m in models]), blocks([m.q for m in models]),
                   np.concatenate([m.b for m in models]))


# ---- errors ----

def ratio(num, den):
    if den > 0:
        return num / den
    return 0.0 if num == 0 else np.inf


def squared_error(model, samples, first, end):
    """(sum |f(t) - f(u)|^2, sum f(t)^2, sum |t - u|^2, sum t^2) with u = M yhat + b + s;
    model None is the identity."""
    t, y, s = samples.rows(first, end)
    u = (y if model is None else model.apply(y)) + s
    ft, fu = activate(t, samples.act), activate(u, samples.act)
    return np.sum((ft - fu) ** 2), np.sum(ft**2), np.sum((t - u) ** 2), np.sum(t**2)


def response_error(model, samples, first, end):
    """Relative errors after and before the nonlinearity."""
    after, of_after, before, of_before = squared_error(model, samples, first, end)
    return ratio(after, of_after), ratio(before, of_before)


# ---- linear solution: equations 2 to 4 ----

def top_eigenvectors(a, rank):
    w, v = np.linalg.eigh((a + a.T) / 2)
    order = np.argsort(w)[::-1][:rank]
    return v[:, order]


def span(g):
    """Eigenvalues above the cut and their eigenvectors, of a symmetric G >= 0."""
    w, v = np.linalg.eigh((g + g.T) / 2)
    keep = w > GRAM_CUT * max(w[-1], 0.0)
    return w[keep], v[:, keep]


def solve_pca(y, rank):
    """min sum |(y - ybar) - M (y - ybar)|^2: M = U U^T, b = ybar - M ybar."""
    mean = y.mean(axis=0)
    c = y - mean
    u = top_eigenvectors(c.T @ c, rank)
    return LowRank(u, u, mean - u @ (u.T @ mean))


class Regressor:
    """Reduced-rank regression of any z on one y: G = Yc Yc^T is taken apart once. With few
    rows the sum |z - M y - b|^2 + ridge |M - I|^2 is minimised, in the directions in which y
    varies: G + ridge and Z Y^T + ridge take the places of G and Z Y^T."""

    def __init__(self, y):
        self.mean = y.mean(axis=0)
        self.c = y - self.mean
        self.g = self.c.T @ self.c
        w, v = span(self.g)
        self.data_rank = len(w)
        n, d = y.shape
        self.ridge = RIDGE_ROWS * np.sum(w) / (d * n) if n < FEW_ROWS * d else 0.0
        self.seen = v @ v.T
        if self.ridge:
            w = w + self.ridge
            self.g = (v * w) @ v.T
        self.pinv, self.inv_root = (v / w) @ v.T, (v / np.sqrt(w)) @ v.T
        self.unseen = np.eye(d) - self.seen

    def cross(self, z):
        """(zbar, Zc Yc^T and the ridge). The centred y makes the mean of z drop out of the product."""
        return z.mean(axis=0), z.T @ self.c + self.ridge * self.seen

    def penalty(self, model):
        return self.ridge * np.sum(((model.matrix() - np.eye(len(self.g))) @ self.seen) ** 2)

    def finish(self, p, q, zbar):
        """b = zbar - M ybar."""
        return LowRank(p, q, zbar - p @ (q.T @ self.mean))

    def solve(self, z, rank):
        """U = top eigenvectors of Z Y^T G^-1 Y Z^T, M = U U^T Mhat, Mhat = Z Y^T G^-1.
        At full rank M is the identity where y never varies, for nothing is known there and
        d' = d with z = y has to be the identity."""
        zbar, zy = self.cross(z)
        mhat = zy @ self.pinv
        if rank == len(mhat):
            return self.finish(np.eye(rank), (mhat + self.unseen).T, zbar)
        u = top_eigenvectors(mhat @ zy.T, rank)
        return self.finish(u, mhat.T @ u, zbar)

    def solve_whitened(self, z, rank):
        """The same by an ordinary SVD of Mhat G^(1/2) = Z Y^T G^(-1/2)."""
        zbar, zy = self.cross(z)
        u, s, vt = np.linalg.svd(zy @ self.inv_root)
        q = self.inv_root @ vt[:rank].T * s[:rank]
        return self.finish(u[:, :rank], q, zbar)

    def solve_gsvd(self, z, rank):
        """The same by the generalised SVD Mhat = U S V^T, U^T U = I, V^T G V = I, without
        G^(1/2): Mhat G Mhat^T = U S^2 U^T and Mhat^T U = V S. Returns (solution, V)."""
        zbar, zy = self.cross(z)
        mhat = zy @ self.pinv
        w, u = np.linalg.eigh(mhat @ self.g @ mhat.T)
        order = np.argsort(w)[::-1][:rank]
        s = np.sqrt(np.maximum(w[order], 0))
        live = s > 1e-9 * s[0]
        u, s = u[:, order][:, live], s[live]
        v = mhat.T @ u / s
        return self.finish(u * s, v, zbar), v

    def truncate_plain(self, z, rank):
        """What is not the solution: the ordinary SVD of Mhat, truncated."""
        zbar, zy = self.cross(z)
        u, s, vt = np.linalg.svd(zy @ self.pinv)
        return self.finish(u[:, :rank] * s[:rank], vt[:rank].T, zbar)


def solve_linear(samples, rank):
    """PCA when target and regressor are the same thing, otherwise reduced-rank regression
    of target - shortcut on yhat."""
    t, y, s = samples.rows(0, samples.n_fit)
    if samples.is_symmetric:
        return solve_pca(t, rank)
    return Regressor(y).solve(t - s, rank)


# ---- nonlinear solution: equations 5 to 11 ----

def z_step(t, u, lam, act=RELU):
    """argmin over z of (r(t) - r(z))^2 + lam (z - u)^2: on each linear piece of r, r(z) = a +
    s z, the parabola's minimum (s (r(t) - a) + lam u) / (s^2 + lam), moved to the piece if
    outside; then the best of the pieces."""
    lo, hi, slope = act
    rt = activate(t, act)
    pieces = [(0.0, 1.0, lo, hi)]
    if np.isfinite(lo):
        pieces.append((lo - slope * lo, slope, -np.inf, lo))
    if np.isfinite(hi):
        pieces.append((hi, 0.0, hi, np.inf))
    z = [np.clip((s * (rt - a) + lam * u) / (s * s + lam), first, last)
         for a, s, first, last in pieces]
    best, lowest = z[0], z_cost(t, u, lam, z[0], act)
    for other in z[1:]:
        cost = z_cost(t, u, lam, other, act)
        best, lowest = np.where(cost < lowest, other, best), np.minimum(cost, lowest)
    return best


def z_cost(t, u, lam, z, act=RELU):
    return (activate(t, act) - activate(z, act)) ** 2 + lam * (z - u) ** 2


def solve_relu(samples, rank, schedule=((25, 0.01), (25, 1.0)), trace=None, iterates=None):
    """Alternates the z step on u = M yhat + b + s with the regression of z - s on yhat,
    from the linear solution on; the iterate with the lowest true error on the validation
    rows (the fit rows when there are none) is returned, the start included.

    trace: a list that gets (fit error, valid error, lambda, relaxed objective after the z
    step) per iterate, all relative; lambda and objective are None for the last one.
    iterates: a list that gets every solution."""
    t, y, s = samples.rows(0, samples.n_fit)
    judge = samples.parts()["valid" if samples.n_valid else "fit"]
    regressor = Regressor(y)
    model = solve_linear(samples, rank)
    lambdas = [lam for count, lam in schedule for _ in range(count)]
    total = np.sum(activate(t, samples.act) ** 2)
    best, best_error = None, np.inf
    for k in range(len(lambdas) + 1):
        model.iterations, model.best = len(lambdas), k
        if iterates is not None:
            iterates.append(model)
        error = squared_error(model, samples, *judge)[0]
        if best is None or error < best_error:
            best, best_error = model, error
        lam = relaxed = z = None
        if k < len(lambdas):
            lam = lambdas[k]
            u = model.apply(y) + s
            z = z_step(t, u, lam, samples.act)
            if trace is not None:
                relaxed = ratio(np.sum(z_cost(t, u, lam, z, samples.act)) +
                                lam * regressor.penalty(model), total)
        if trace is not None:
            valid = response_error(model, samples, *samples.parts()["valid"])[0]
            trace.append((response_error(model, samples, 0, samples.n_fit)[0],
                          valid if samples.n_valid else np.nan, lam, relaxed))
        if z is not None:
            model = regressor.solve(z - s, rank)
    return best


# ---- solutions from the weights alone ----

def solve_weight_svd(w, bias, rank):
    """Truncated SVD of the filters w [d, inputs]: W ~ U U^T W. The regressor is W x + b0, so
    U U^T (W x) + b0 = M (W x + b0) + (b0 - M b0)."""
    u = np.linalg.svd(np.asarray(w, dtype=np.float64), full_matrices=False)[0][:, :rank]
    b0 = np.zeros(len(w)) if bias is None else np.asarray(bias, dtype=np.float64)
    return LowRank(u, u, b0 - u @ (u.T @ b0))


def solve_spatial_svd(w, rank):
    """The closest k x 1 and 1 x k pair to filters w [d, c, kh, kw] in the Frobenius norm: the
    (c kh) x (kw d) matrix of them, truncated. Returns (vertical [rank, c, kh, 1], horizontal
    [d, rank, 1, kw]), the singular values shared evenly."""
    w = np.asarray(w, dtype=np.float64)
    d, c, kh, kw = w.shape
    a = w.transpose(1, 2, 3, 0).reshape(c * kh, kw * d)
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    rank = min(rank, len(s))
    root = np.sqrt(s[:rank])
    vertical = (u[:, :rank] * root).T.reshape(rank, c, kh, 1)
    horizontal = (vt[:rank].T * root).reshape(kw, d, rank).transpose(1, 2, 0)
    return vertical, horizontal.reshape(d, rank, 1, kw)


def join_spatial(vertical, horizontal):
    """The k x k filters a k x 1 and a 1 x k convolution amount to."""
    return np.einsum("rci,orj->ocij", vertical[:, :, :, 0], horizontal[:, :, 0, :])


def spatial_filters(w, kernel, rank, groups=1):
    """Filters w [d, inputs of one group], each group's closest sum of rank / groups products
    of k x 1 and 1 x k filters, in the same shape."""
    w = np.asarray(w, dtype=np.float64)
    d = len(w) // groups
    blocks = w.reshape((groups, d, -1) + tuple(kernel))
    return np.concatenate([join_spatial(*solve_spatial_svd(b, rank // groups)).reshape(d, -1)
                           for b in blocks])


def respond(w, x, groups=1):
    """Responses [n, d] of filters w [d, inputs / groups] to patches x [n, inputs]."""
    w = np.asarray(w, dtype=np.float64)
    d, p = len(w) // groups, w.shape[1]
    return np.concatenate([x[:, j * p:(j + 1) * p] @ w[j * d:(j + 1) * d].T
                           for j in range(groups)], axis=1)


def spatial_values(w, kernel, groups=1):
    """Squared singular values behind spatial_filters, their mean over the groups repeated."""
    w = np.asarray(w, dtype=np.float64)
    blocks = w.reshape((groups, len(w) // groups, -1) + tuple(kernel))
    s = [np.linalg.svd(b.transpose(1, 2, 3, 0).reshape(b.shape[1] * b.shape[2], -1),
                       compute_uv=False) for b in blocks]
    return np.repeat(np.mean(np.square(s), axis=0), groups)


def run_part(x, w, b, groups):
    """A convolution without padding, by its definition: x [n, c, h, w], w [d, c / groups, kh,
    kw]."""
    n, c, h, width = x.shape
    d, each, kh, kw = w.shape
    out = np.zeros((n, d, h - kh + 1, width - kw + 1))
    for j in range(groups):
        of, inputs = slice(j * d // groups, (j + 1) * d // groups), x[:, j * each:(j + 1) * each]
        for i in range(out.shape[2]):
            for k in range(out.shape[3]):
                patch = inputs[:, :, i:i + kh, k:k + kw].reshape(n, -1)
                out[:, of, i, k] = patch @ w[of].reshape(len(w[of]), -1).T
    return out if b is None else out + b[:, None, None]


# ---- spectrum and rank selection: section 2.4 ----

def spectrum(y):
    """Descending eigenvalues of the centred covariance of y [n, d]."""
    c = np.asarray(y, dtype=np.float64)
    c = c - c.mean(axis=0)
    return np.maximum(np.linalg.eigvalsh(c.T @ c / len(c))[::-1], 0)


def energy(eig, rank):
    total = eig.sum()
    return eig[:rank].sum() / total if total > 0 else 1.0


class RankLayer:
    """positions: output height x width; patch: c kh kw inputs of one filter."""

    def __init__(self, d, patch, positions, eig, is_kept=False):
        self.d, self.patch, self.positions = d, patch, positions
        self.eig, self.is_kept = np.asarray(eig, dtype=np.float64), is_kept
        self.whole = positions * patch * d

    def cost(self, rank):
        """Split when that is cheaper, whole otherwise: s (k^2 c d' + d d') < s k^2 c d."""
        split = self.positions * rank * (self.patch + self.d)
        return self.whole if self.is_kept else min(split, self.whole)

    def pays(self, rank):
        return not self.is_kept and rank * (self.patch + self.d) < self.patch * self.d

    def effective(self, rank):
        return rank if self.pays(rank) else self.d

    def energy(self, rank):
        return energy(self.eig, self.effective(rank))


def total_cost(layers, ranks, fixed=0):
    return fixed + sum(l.cost(r) for l, r in zip(layers, ranks))


def log_energy(layers, ranks):
    return sum(np.log(l.energy(r)) for l, r in zip(layers, ranks))


def measure(layer, rank, rule):
    """(dE/E) / dC of the last of rank kept eigenvalues; dC with the 1 x 1 part, or C_l / d_l
    for the paper's own form."""
    d_cost = layer.patch + (layer.d if rule == "energy" else 0)
    kept = layer.eig[:rank].sum()
    return (layer.eig[rank - 1] / kept if kept > 0 else 0.0) / (layer.positions * d_cost)


def greedy_ranks(layers, limit, fixed=0, rule="energy", step=1):
    """Drops the last eigenvalue of the smallest measure until the honest cost fits. step:
    ranks as multiples of it where they pay. None when even the smallest ranks do not fit."""
    ranks = [l.d for l in layers]
    events = [(measure(l, a, rule), -a, i) for i, l in enumerate(layers) if not l.is_kept
              for a in range(2, l.d + 1)]
    events.sort()

    def rounded():
        out = [l.effective(r) for l, r in zip(layers, ranks)]
        return [max(r // step * step, min(step, l.d)) if l.pays(r) else r
                for l, r in zip(layers, out)]

    for _, a, i in events:
        if total_cost(layers, rounded(), fixed) <= limit:
            return rounded()
        ranks[i] = -a - 1
    return rounded() if total_cost(layers, rounded(), fixed) <= limit else None


def best_ranks(layers, limit, fixed=0, grid=None):
    """The allocation of the largest energy product under the limit, by trying all of them.
    grid: ranks tried per layer (d is always one of them); the default is every rank. The
    last layer is not enumerated: its best rank is the largest that fits."""
    tried = []
    for i, l in enumerate(layers):
        some = range(1, l.d + 1) if grid is None else grid[i]
        tried.append(np.array(sorted({r for r in some if l.pays(r)} | {l.d})))
    value = [np.log([l.energy(r) for r in t]) for l, t in zip(layers, tried)]
    cost = [np.array([l.cost(r) for r in t], dtype=np.float64) for l, t in zip(layers, tried)]
    sum_value, sum_cost = np.zeros(1), np.full(1, float(fixed))
    for v, c in zip(value[:-1], cost[:-1]):
        sum_value = np.add.outer(sum_value, v).ravel()
        sum_cost = np.add.outer(sum_cost, c).ravel()
    last = np.searchsorted(cost[-1], limit - sum_cost, side="right") - 1
    sum_value = np.where(last >= 0, sum_value + value[-1][np.maximum(last, 0)], -np.inf)
    winner = int(np.argmax(sum_value))
    if not np.isfinite(sum_value[winner]):
        return None
    index = np.unravel_index(winner, [len(t) for t in tried[:-1]]) if len(tried) > 1 else ()
    return [int(t[k]) for t, k in zip(tried, tuple(index) + (last[winner],))]


class PairLayer:
    """A k x k layer split into k x 1 (d''), 1 x k (d') and 1 x 1, or into k x 1 and 1 x k
    where the last two parts cost no less than their product. Ranks are pairs (d', d'')."""

    def __init__(self, d, c, k, positions, eig, spatial):
        self.d, self.c, self.k, self.positions = d, c, k, positions
        self.full = min(c * k, k * d)
        self.eig, self.spatial = eig, spatial
        self.whole = positions * d * c * k * k

    def split(self, a, s):
        pair = a * (self.k * s + self.d)
        return self.positions * (s * self.k * self.c + min(pair, self.k * s * self.d))

    def cost(self, ranks):
        return min(self.whole, self.split(*ranks))

    def log_energy(self, ranks):
        if self.split(*ranks) >= self.whole:
            return 0.0
        return np.log(energy(self.eig, ranks[0])) + np.log(energy(self.spatial, ranks[1]))

    def at_speedup(self, x):
        """d' of a channel split at sqrt(x), then the largest d''; None when there is none."""
        patch = self.c * self.k**2
        a = max(1, int(patch * self.d / (np.sqrt(x) * (patch + self.d)) + 1e-9))
        fitting = [s for s in range(1, self.full + 1)
                   if self.split(a, s) * x <= self.whole * (1 + 1e-12)]
        if not fitting:
            return None
        s = fitting[-1]
        return (self.d if a * (self.k * s + self.d) >= self.k * s * self.d else a), s


def best_pairs(layers, limit):
    """The largest sum of log energies under the limit, over all pairs of ranks of every
    layer: partial sums kept where no cheaper one is as good, nothing else."""
    front = [(0, 0.0)]
    for l in layers:
        options = [(l.whole, 0.0)] + [
            (l.split(a, s), l.log_energy((a, s))) for a in range(1, l.d + 1)
            for s in range(1, l.full + 1) if l.split(a, s) < l.whole]
        options = pareto(options)
        front = pareto([(c + oc, v + ov) for c, v in front for oc, ov in options
                        if c + oc <= limit])
    return front[-1][1] if front else None


def pareto(pairs):
    kept = []
    for c, v in sorted(pairs, key=lambda p: (p[0], -p[1])):
        if not kept or v > kept[-1][1]:
            kept.append((c, v))
    return kept
