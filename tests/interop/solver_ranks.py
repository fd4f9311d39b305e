"""Compares the rank rules with solver_reference.py: greedy runs and exhaustive searches."""
import numpy as np

import solver_reference as ref
from solver_program import Outcome


def draw_rank_layers(seed, shapes):
    rng = np.random.default_rng(seed)
    layers = []
    for d, patch, positions in shapes:
        decay = rng.uniform(0.6, 2.0)
        eig = (1.0 + np.arange(d)) ** -decay * np.exp(0.3 * rng.standard_normal(d))
        eig = np.sort(eig)[::-1].astype(np.float32)
        layers.append(ref.RankLayer(d, patch, positions, eig))
    return layers


RANK_CASES = [
    ("small", ((16, 9, 784), (32, 144, 196), (48, 288, 49)), 31, 1),
    ("vgg-like", ((64, 576, 3136), (128, 576, 784), (128, 1152, 784), (256, 1152, 196)), 32, 1),
    ("steps of 4", ((32, 288, 784), (64, 288, 196), (64, 576, 196)), 33, 4),
]


def run_rank_rules(program, report):
    """The rules promise the budget and that nothing kept out would still fit; the greedy
    run of the reference is a lower bound and the exhaustive search an upper one."""
    for name, shapes, seed, step in RANK_CASES:
        layers = draw_rank_layers(seed, shapes)
        longest = max(l.d for l in layers)
        # A filter of patch inputs costs the same whatever its shape.
        table = [[l.d, l.patch, 1, 1, 1, l.positions, l.positions, 1, 0] for l in layers]
        eig = [np.pad(l.eig, (0, longest - l.d)) for l in layers]
        words = ["layers=" + program.store("layers", table), "eig=" + program.store("eig", eig)]
        whole = sum(l.whole for l in layers)
        for rule in ("energy", "paper", "knapsack"):
            for speedup in (1.5, 2.0, 3.0, 4.0, 5.0):
                label = "rank %s, %s, %gx" % (name, rule, speedup)
                out, limit = Outcome(), int(whole / speedup)
                try:
                    lines = program.lines("rank", rule, *words, "limit=%d" % limit,
                                          "round=%d" % step)
                except RuntimeError as error:
                    report(label, [str(error)])
                    continue
                ranks, costs = np.array([line.split()[1:3] for line in lines],
                                        dtype=np.int64).T
                ranks = [int(r) for r in ranks]
                out.require("cost of %s" % ranks,
                            list(costs) == [l.cost(r) for l, r in zip(layers, ranks)])
                cost = ref.total_cost(layers, ranks)
                out.require("%s over the budget" % ranks, cost <= limit)
                for i, l in enumerate(layers):
                    more = list(ranks)
                    more[i] = min(ranks[i] + step, l.d)
                    out.require("%s: layer %d has room for more" % (ranks, i),
                                more[i] == ranks[i] or not l.pays(ranks[i])
                                or ref.total_cost(layers, more) > limit)
                greedy = ref.greedy_ranks(layers, limit, rule=rule, step=step)
                grids = [range(step, l.d + 1, step) for l in layers]
                best = ref.best_ranks(layers, limit, grid=grids)
                value = ref.log_energy(layers, ranks)
                low, high = ref.log_energy(layers, greedy), ref.log_energy(layers, best)
                out.require("%s below plain greedy %s" % (ranks, greedy), value >= low - 1e-9)
                out.require("%s above the optimum %s" % (ranks, best), value <= high + 1e-9)
                if rule == "knapsack":
                    out.require("%s below the optimum %s" % (ranks, best),
                                value >= high - 1e-9)
                report(label, out.problems, "energy %.5f, greedy %.5f, best %.5f, %s"
                       % (np.exp(value), np.exp(low), np.exp(high), ranks))


def run_rank_pairs(program, report):
    """Splits with both parts: the exact rule reaches the best of all pairs, and one layer
    alone gets d' at the square root of some speedup and the d'' that is left."""
    rng = np.random.default_rng(41)
    layers = []
    for d, c, positions in ((12, 8, 196), (10, 12, 49), (14, 10, 64)):
        eig, spatial = ((rng.uniform(0.7, 0.9) ** np.arange(n)).astype(np.float32)
                        for n in (d, min(3 * c, 3 * d)))
        layers.append(ref.PairLayer(d, c, 3, positions, eig.astype(np.float64),
                                    spatial.astype(np.float64)))
    for some in ([layers[0]], layers):
        def padded(rows):
            longest = max(len(r) for r in rows)
            return [np.pad(r, (0, longest - len(r))) for r in rows]
        table = [[l.d, l.c, 3, 3, 1, l.positions, l.positions, 3, 0] for l in some]
        words = ["layers=" + program.store("layers", table),
                 "eig=" + program.store("eig", padded([l.eig for l in some])),
                 "spatial=" + program.store("spatial", padded([l.spatial for l in some]))]
        whole = sum(l.whole for l in some)
        for rule in ("uniform", "energy", "knapsack"):
            for speedup in (1.3, 1.7, 2.2, 3.0):
                label = "rank %d pairs, %s, %gx" % (len(some), rule, speedup)
                out, limit = Outcome(), int(whole / speedup)
                try:
                    lines = program.lines("rank", rule, *words, "limit=%d" % limit)
                except RuntimeError as error:
                    report(label, [str(error)])
                    continue
                found = [tuple(int(line.split()[k]) for k in (1, 3)) for line in lines]
                costs = [int(line.split()[2]) for line in lines]
                out.require("cost of %s" % found,
                            costs == [l.cost(r) for l, r in zip(some, found)])
                out.require("%s over the budget" % found, sum(costs) <= limit)
                value = sum(l.log_energy(r) for l, r in zip(some, found))
                best = ref.best_pairs(some, limit)
                out.require("%s above the optimum" % found, value <= best + 1e-9)
                if rule == "knapsack":
                    out.require("%s below the optimum" % found, value >= best - 1e-9)
                if rule == "uniform":
                    at = [[l.at_speedup(x) for l in some]
                          for x in np.arange(1, 3 * speedup, 0.001)]
                    out.require("%s at no common speedup" % found, found in at)
                report(label, out.problems, "log energy %.5f, best %.5f, %s"
                       % (value, best, found))
