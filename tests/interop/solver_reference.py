"""The per-layer solvers and the rank selection once more, in NumPy and double precision.

Written from the published method (Zhang, Zou, Ming, He, Sun, CVPR 2015, equation numbers
below; TPAMI 2016) and not from the C sources, to be compared with them. Straightforward on
purpose: responses are matrices with one row per position (the transpose of the paper's Y),
everything is held in memory, nothing is blocked.

Run as a program it tests itself: the z step against a grid, the closed forms of reduced-rank
regression against each other, the relaxed objective, the greedy selection against a plain
loop and against every allocation.
"""
import sys

import numpy as np

GRAM_CUT = 1e-12  # eigenvalues of a Gram matrix below this share of the largest are zero


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

    def __init__(self, target, yhat, shortcut, n_fit, n_valid, is_relu, is_symmetric=False):
        self.target = np.asarray(target, dtype=np.float64)
        self.yhat = np.asarray(yhat, dtype=np.float64)
        self.shortcut = None if shortcut is None else np.asarray(shortcut, dtype=np.float64)
        self.n_fit, self.n_valid, self.is_relu = n_fit, n_valid, is_relu
        self.is_symmetric = is_symmetric

    def rows(self, first, end):
        s = 0.0 if self.shortcut is None else self.shortcut[first:end]
        return self.target[first:end], self.yhat[first:end], s

    def parts(self):
        n = len(self.target)
        return {"fit": (0, self.n_fit), "valid": (self.n_fit, self.n_fit + self.n_valid),
                "held": (self.n_fit + self.n_valid, n)}


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
    ft, fu = (np.maximum(t, 0), np.maximum(u, 0)) if samples.is_relu else (t, u)
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
    """Reduced-rank regression of any z on one y: G = Yc Yc^T is taken apart once."""

    def __init__(self, y):
        self.mean = y.mean(axis=0)
        self.c = y - self.mean
        self.g = self.c.T @ self.c
        w, v = span(self.g)
        self.data_rank = len(w)
        self.pinv, self.inv_root = (v / w) @ v.T, (v / np.sqrt(w)) @ v.T
        self.unseen = np.eye(len(self.g)) - v @ v.T

    def cross(self, z):
        """(zbar, Zc Yc^T). The centred y makes the mean of z drop out of the product."""
        return z.mean(axis=0), z.T @ self.c

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

def z_step(t, u, lam):
    """argmin over z of (r(t) - r(z))^2 + lam (z - u)^2, r(x) = max(0, x)."""
    rt = np.maximum(t, 0)
    z0 = np.minimum(u, 0)
    z1 = np.maximum((lam * u + rt) / (lam + 1), 0)
    return np.where(z_cost(t, u, lam, z0) < z_cost(t, u, lam, z1), z0, z1)


def z_cost(t, u, lam, z):
    return (np.maximum(t, 0) - np.maximum(z, 0)) ** 2 + lam * (z - u) ** 2


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
    total = np.sum(np.maximum(t, 0) ** 2)
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
            z = z_step(t, u, lam)
            if trace is not None:
                relaxed = ratio(np.sum(z_cost(t, u, lam, z)), total)
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


# ---- self-test ----

def random_responses(rng, n, d, bottleneck):
    mix = rng.standard_normal((bottleneck, d)) * 0.9 ** np.arange(bottleneck)[:, None]
    return rng.standard_normal((n, bottleneck)) @ mix + 0.05 * rng.standard_normal((n, d))


def close(a, b, tolerance):
    scale = max(np.max(np.abs(a)), np.max(np.abs(b)), 1e-300)
    return np.max(np.abs(np.asarray(a) - np.asarray(b))) <= tolerance * scale


def test_z_step(rng):
    grid = np.linspace(-8, 8, 160001)
    for lam in (0.01, 0.1, 1.0, 30.0):
        for t, u in rng.uniform(-3, 3, (60, 2)):
            found = float(z_step(t, u, lam))
            lowest = z_cost(t, u, lam, grid).min()
            # A grid 1e-4 apart misses the minimum by at most curvature x step^2.
            assert z_cost(t, u, lam, found) <= lowest + 1e-12, (t, u, lam)
            assert lowest <= z_cost(t, u, lam, found) + (1 + lam) * 1e-8, (t, u, lam)


def test_regression(rng):
    n, d, rank = 400, 24, 7
    y = random_responses(rng, n, d, 12) + 5
    z = 0.7 * y + 0.4 * random_responses(rng, n, d, 12) - 2
    regressor = Regressor(y)
    model = regressor.solve(z, rank)
    gsvd, v = regressor.solve_gsvd(z, rank)
    assert close(model.matrix(), regressor.solve_whitened(z, rank).matrix(), 1e-8)
    assert close(model.matrix(), gsvd.matrix(), 1e-8)
    assert close(v.T @ regressor.g @ v, np.eye(rank), 1e-7)

    def loss(m):
        return np.sum((z - m.apply(y)) ** 2)

    # Pythagoras: residual of the full regression plus the dropped singular values.
    full = regressor.solve(z, d)
    s = np.linalg.svd(regressor.cross(z)[1] @ regressor.inv_root)[1]
    assert close(loss(model), loss(full) + np.sum(s[rank:] ** 2), 1e-9)
    assert loss(regressor.truncate_plain(z, rank)) > 1.2 * loss(model)
    for _ in range(50):
        dp, db = 1e-3 * rng.standard_normal((d, rank)), 1e-3 * rng.standard_normal(d)
        assert loss(LowRank(model.p + dp, model.q, model.b)) > loss(model)
        assert loss(LowRank(model.p, model.q, model.b + db)) > loss(model)
    # z = y is PCA, and the full rank is the identity.
    assert close(regressor.solve(y, rank).matrix(), solve_pca(y, rank).matrix(), 1e-7)
    assert close(regressor.solve(y, d).matrix(), np.eye(d), 1e-7)


def test_singular_gram(rng):
    n, d = 300, 20
    y = random_responses(rng, n, d, 10)
    y[:, 3] = 1.25           # never varies
    y[:, 9] = y[:, 2]        # a copy
    z = y + 0.1 * random_responses(rng, n, d, 10)
    regressor = Regressor(y)
    assert regressor.data_rank == d - 2
    # On the rows themselves pseudo-inverse and least squares agree.
    model = regressor.solve(z, d)
    expected = regressor.c @ np.linalg.lstsq(regressor.c, z - z.mean(0), rcond=1e-9)[0]
    assert close(model.apply(y) - z.mean(0), expected, 1e-8)
    # Below full rank M vanishes where y never varies, at full rank it is the identity there.
    assert np.max(np.abs(regressor.solve(z, d - 1).matrix() @ regressor.unseen)) < 1e-9
    assert close(model.matrix() @ regressor.unseen, regressor.unseen, 1e-9)
    assert close(regressor.solve(y, d).matrix(), np.eye(d), 1e-8)


def test_relu(rng):
    n, d, rank = 900, 16, 5
    y = random_responses(rng, n, d, 10) - 0.4
    yhat = y + 0.2 * random_responses(rng, n, d, 10)
    shortcut = 0.3 * random_responses(rng, n, d, 10)
    for s in (None, shortcut):
        target = y if s is None else y + 1.1 * s
        samples = Samples(target, yhat, s, 600, 150, True)
        trace = []
        model = solve_relu(samples, rank, trace=trace)
        linear = solve_linear(samples, rank)
        valid = samples.parts()["valid"]
        error = response_error(model, samples, *valid)[0]
        assert error < response_error(linear, samples, *valid)[0]
        assert error == min(row[1] for row in trace) == trace[model.best][1]
        for stage in (trace[:25], trace[25:50]):
            relaxed = [row[3] for row in stage]
            assert all(b <= a * (1 + 1e-9) for a, b in zip(relaxed, relaxed[1:]))


def test_weights(rng):
    d, c, k = 12, 3, 3
    w, b0 = rng.standard_normal((d, c, k, k)), rng.standard_normal(d)
    flat = w.reshape(d, -1)
    x = rng.standard_normal((50, c * k * k))
    u, s, vt = np.linalg.svd(flat, full_matrices=False)
    truncated = (u[:, :5] * s[:5]) @ vt[:5]
    model = solve_weight_svd(flat, b0, 5)
    assert close(model.apply(x @ flat.T + b0), x @ truncated.T + b0, 1e-9)
    errors = []
    for rank in (1, 4, 9, 99):
        joined = join_spatial(*solve_spatial_svd(w, rank))
        s = np.linalg.svd(w.transpose(1, 2, 3, 0).reshape(c * k, -1))[1]
        errors.append(np.sum((joined - w) ** 2))
        assert close(errors[-1] + np.sum(s[:rank] ** 2), np.sum(w**2), 1e-9)
    assert errors[0] > errors[1] > errors[2] and errors[3] < 1e-20
    # A filter that is a product is kept at rank 1.
    w = rng.standard_normal((1, c, k, 1)) * rng.standard_normal((d, 1, 1, k))
    assert close(join_spatial(*solve_spatial_svd(w, 1)), w, 1e-10)


def test_selection(rng):
    shapes = ((24, 27, 784), (32, 216, 196), (40, 288, 49))
    layers = [RankLayer(d, p, n, np.sort(rng.gamma(0.3, 1.0, d))[::-1] + 1e-6)
              for d, p, n in shapes]
    whole = sum(l.whole for l in layers)
    for speedup in (1.2, 2.0, 4.0):
        limit = whole / speedup
        greedy = greedy_ranks(layers, limit)
        assert total_cost(layers, greedy) <= limit
        # One step at a time, choosing afresh, is the same as the global sort.
        ranks = [l.d for l in layers]
        while total_cost(layers, ranks) > limit:
            i = min((i for i in range(len(layers)) if ranks[i] > 1),
                    key=lambda i: measure(layers[i], ranks[i], "energy"))
            ranks[i] -= 1
        assert [l.effective(r) for l, r in zip(layers, ranks)] == greedy
        best = best_ranks(layers, limit)
        assert total_cost(layers, best) <= limit
        assert log_energy(layers, best) >= log_energy(layers, greedy)
        # Nothing drawn at random beats the exhaustive search.
        for _ in range(2000):
            ranks = [int(rng.integers(1, l.d + 1)) for l in layers]
            if total_cost(layers, ranks) <= limit:
                assert log_energy(layers, ranks) <= log_energy(layers, best) + 1e-12
    assert greedy_ranks(layers, 1.0) is None and best_ranks(layers, 1.0) is None
    assert greedy_ranks(layers, whole) == [l.d for l in layers]


def self_test():
    rng = np.random.default_rng(20150607)
    tests = (test_z_step, test_regression, test_singular_gram, test_relu, test_weights,
             test_selection)
    n_failed = 0
    for test in tests:
        try:
            test(rng)
            print("ok    reference " + test.__name__)
        except AssertionError as error:
            n_failed += 1
            line = error.__traceback__
            while line.tb_next:
                line = line.tb_next
            print("FAIL  reference %s line %d %s" % (test.__name__, line.tb_lineno, error))
    return len(tests) - n_failed, n_failed


if __name__ == "__main__":
    passed, failed = self_test()
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)
