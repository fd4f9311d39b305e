"""The nonlinear solver in NumPy, as one would write it to be fast: whole-matrix products in
single precision, Gram matrices in double, the same iterations and the same choice of the
iterate as ranklab. Usage: solver_numpy.py D N RANK FOLDER RUNS; prints "seconds error"."""
import sys
import time

import numpy as np

SCHEDULE = [0.01] * 25 + [1.0] * 25


def relu(x):
    return np.maximum(x, 0)


def z_step(t, u, lam):
    """The closed form per value: the better of a z below and one above zero."""
    rt = relu(t)
    below, above = np.minimum(u, 0), np.maximum((lam * u + rt) / (lam + 1), 0)
    cost_below = rt**2 + lam * (below - u) ** 2
    cost_above = (rt - above) ** 2 + lam * (above - u) ** 2
    return np.where(cost_below < cost_above, below, above)


def error(t, y, model):
    p, q, b = model
    return np.sum((relu(t) - relu((y @ q) @ p.T + b)) ** 2, dtype=np.float64)


def fit(zbar, cross, inv_root, mean, rank):
    """The reduced-rank regression by whitening."""
    k = cross @ inv_root
    _, v = np.linalg.eigh(k @ k.T)
    u = v[:, ::-1][:, :rank]
    q = inv_root @ (k.T @ u)
    return (u.astype(np.float32), q.astype(np.float32),
            (zbar - u @ (q.T @ mean)).astype(np.float32))


def solve(t, y, n_fit, n_valid, rank):
    tf, yf = t[:n_fit], y[:n_fit]
    tv, yv = t[n_fit:n_fit + n_valid], y[n_fit:n_fit + n_valid]
    mean = yf.mean(axis=0, dtype=np.float64)
    centred = (yf - mean).astype(np.float64)
    w, v = np.linalg.eigh(centred.T @ centred)
    keep = w > 1e-12 * w[-1]
    inv_root = (v[:, keep] / np.sqrt(w[keep])) @ v[:, keep].T
    yc = centred.astype(np.float32)
    model = fit(tf.mean(axis=0, dtype=np.float64), (tf.T @ yc).astype(np.float64),
                inv_root, mean, rank)
    best, lowest = model, error(tv, yv, model)
    for lam in SCHEDULE:
        p, q, b = model
        z = z_step(tf, (yf @ q) @ p.T + b, np.float32(lam))
        model = fit(z.mean(axis=0, dtype=np.float64), (z.T @ yc).astype(np.float64),
                    inv_root, mean, rank)
        now = error(tv, yv, model)
        if now < lowest:
            best, lowest = model, now
    return best


def main():
    d, n, rank = (int(a) for a in sys.argv[1:4])
    t, y = (np.fromfile(f"{sys.argv[4]}/{name}.f32", dtype=np.float32).reshape(n, d)
            for name in ("target", "yhat"))
    n_valid = n // 10
    n_fit = n - 2 * n_valid
    for _ in range(int(sys.argv[5])):
        start = time.perf_counter()
        model = solve(t, y, n_fit, n_valid, rank)
        seconds = time.perf_counter() - start
        held = slice(n_fit + n_valid, n)
        of = np.sum(relu(t[held]) ** 2, dtype=np.float64)
        print(f"{seconds:.6f} {error(t[held], y[held], model) / of:.9g}", flush=True)


if __name__ == "__main__":
    main()
