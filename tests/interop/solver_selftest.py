"""Tests solver_reference.py against grids, closed forms and plain loops."""
import sys

import numpy as np

import solver_reference as ref


def random_responses(rng, n, d, bottleneck):
    mix = rng.standard_normal((bottleneck, d)) * 0.9 ** np.arange(bottleneck)[:, None]
    return rng.standard_normal((n, bottleneck)) @ mix + 0.05 * rng.standard_normal((n, d))


def close(a, b, tolerance):
    scale = max(np.max(np.abs(a)), np.max(np.abs(b)), 1e-300)
    return np.max(np.abs(np.asarray(a) - np.asarray(b))) <= tolerance * scale


ACTS = (ref.RELU, (0.0, 6.0, 0.0), (-1.0, 1.0, 0.0), (0.5, 3.0, 0.0), (0.0, np.inf, 0.1),
        (-np.inf, 2.0, 0.0), (-0.5, 1.5, 0.3), ref.IDENTITY)


def test_activate(rng):
    x = np.array([-3.0, -1.0, 0.0, 0.25, 2.0, 9.0])
    assert close(ref.activate(x, (0.0, 6.0, 0.0)), [0, 0, 0, 0.25, 2, 6], 1e-15)
    assert close(ref.activate(x, (0.0, np.inf, 0.1)), [-0.3, -0.1, 0, 0.25, 2, 9], 1e-15)
    assert close(ref.activate(x, (-0.5, 1.0, 0.2)), [-1, -0.6, 0, 0.25, 1, 1], 1e-15)
    assert close(ref.activate(x, ref.IDENTITY), x, 1e-15)


def test_z_step(rng):
    grid = np.linspace(-8, 8, 160001)
    for act in ACTS:
        for lam in (0.01, 0.1, 1.0, 30.0):
            for t, u in rng.uniform(-3, 3, (20, 2)):
                found = float(ref.z_step(t, u, lam, act))
                lowest = ref.z_cost(t, u, lam, grid, act).min()
                mine = ref.z_cost(t, u, lam, found, act)
                # A grid 1e-4 apart misses the minimum by at most curvature x step^2.
                assert mine <= lowest + 1e-12, (t, u, lam, act)
                assert lowest <= mine + (1 + lam) * 1e-8, (t, u, lam, act)


def test_regression(rng):
    n, d, rank = 400, 24, 7
    y = random_responses(rng, n, d, 12) + 5
    z = 0.7 * y + 0.4 * random_responses(rng, n, d, 12) - 2
    regressor = ref.Regressor(y)
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
        assert loss(ref.LowRank(model.p + dp, model.q, model.b)) > loss(model)
        assert loss(ref.LowRank(model.p, model.q, model.b + db)) > loss(model)
    # z = y is PCA, and the full rank is the identity.
    assert close(regressor.solve(y, rank).matrix(), ref.solve_pca(y, rank).matrix(), 1e-7)
    assert close(regressor.solve(y, d).matrix(), np.eye(d), 1e-7)


def test_singular_gram(rng):
    n, d = 300, 20
    y = random_responses(rng, n, d, 10)
    y[:, 3] = 1.25           # never varies
    y[:, 9] = y[:, 2]        # a copy
    z = y + 0.1 * random_responses(rng, n, d, 10)
    regressor = ref.Regressor(y)
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
    for s, act in [(None, a) for a in ACTS[:-1]] + [(shortcut, ref.RELU)]:
        target = y if s is None else y + 1.1 * s
        samples = ref.Samples(target, yhat, s, 600, 150, act)
        trace = []
        model = ref.solve_relu(samples, rank, trace=trace)
        linear = ref.solve_linear(samples, rank)
        valid = samples.parts()["valid"]
        error = ref.response_error(model, samples, *valid)[0]
        assert error <= ref.response_error(linear, samples, *valid)[0]
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
    model = ref.solve_weight_svd(flat, b0, 5)
    assert close(model.apply(x @ flat.T + b0), x @ truncated.T + b0, 1e-9)
    errors = []
    for rank in (1, 4, 9, 99):
        joined = ref.join_spatial(*ref.solve_spatial_svd(w, rank))
        s = np.linalg.svd(w.transpose(1, 2, 3, 0).reshape(c * k, -1))[1]
        errors.append(np.sum((joined - w) ** 2))
        assert close(errors[-1] + np.sum(s[:rank] ** 2), np.sum(w**2), 1e-9)
    assert errors[0] > errors[1] > errors[2] and errors[3] < 1e-20
    # A filter that is a product is kept at rank 1.
    w = rng.standard_normal((1, c, k, 1)) * rng.standard_normal((d, 1, 1, k))
    assert close(ref.join_spatial(*ref.solve_spatial_svd(w, 1)), w, 1e-10)


def test_parts(rng):
    """k x 1 then 1 x k, with groups, is the joined filters."""
    for groups in (1, 2):
        d, c, kh, kw, rank, n = 6, 4, 3, 2, 4, 7
        w = rng.standard_normal((d, c // groups * kh * kw))
        x = rng.standard_normal((n, c, kh, kw))
        v, h = [], []
        for j in range(groups):
            block = w[j * d // groups:(j + 1) * d // groups].reshape(-1, c // groups, kh, kw)
            one, two = ref.solve_spatial_svd(block, rank // groups)
            v.append(one)
            h.append(two)
        middle = ref.run_part(x, np.concatenate(v), None, groups)
        out = ref.run_part(middle, np.concatenate(h), np.arange(d), groups)
        joined = ref.spatial_filters(w, (kh, kw), rank, groups)
        expected = ref.respond(joined, x.reshape(n, -1), groups) + np.arange(d)
        assert close(out.reshape(n, d), expected, 1e-10)
        full = ref.spatial_filters(w, (kh, kw), groups * min(c // groups * kh, d // groups * kw),
                                   groups)
        assert close(full, w, 1e-10)


def test_selection(rng):
    shapes = ((24, 27, 784), (32, 216, 196), (40, 288, 49))
    layers = [ref.RankLayer(d, p, n, np.sort(rng.gamma(0.3, 1.0, d))[::-1] + 1e-6)
              for d, p, n in shapes]
    whole = sum(l.whole for l in layers)
    for speedup in (1.2, 2.0, 4.0):
        limit = whole / speedup
        greedy = ref.greedy_ranks(layers, limit)
        assert ref.total_cost(layers, greedy) <= limit
        # One step at a time, choosing afresh, is the same as the global sort.
        ranks = [l.d for l in layers]
        while ref.total_cost(layers, ranks) > limit:
            i = min((i for i in range(len(layers)) if ranks[i] > 1),
                    key=lambda i: ref.measure(layers[i], ranks[i], "energy"))
            ranks[i] -= 1
        assert [l.effective(r) for l, r in zip(layers, ranks)] == greedy
        best = ref.best_ranks(layers, limit)
        assert ref.total_cost(layers, best) <= limit
        assert ref.log_energy(layers, best) >= ref.log_energy(layers, greedy)
        # Nothing drawn at random beats the exhaustive search.
        for _ in range(2000):
            ranks = [int(rng.integers(1, l.d + 1)) for l in layers]
            if ref.total_cost(layers, ranks) <= limit:
                assert ref.log_energy(layers, ranks) <= ref.log_energy(layers, best) + 1e-12
    assert ref.greedy_ranks(layers, 1.0) is None and ref.best_ranks(layers, 1.0) is None
    assert ref.greedy_ranks(layers, whole) == [l.d for l in layers]


def self_test():
    rng = np.random.default_rng(20150607)
    tests = (test_activate, test_z_step, test_regression, test_singular_gram, test_relu,
             test_weights, test_parts, test_selection)
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
