"""Compares the library's solvers, spectra and rank rules with solver_reference.py.

    solver_cases.py PROGRAM FOLDER [PATTERN]

Draws samples that look like a layer's responses (correlated inputs after a ReLU, random
filters, negative biases, a perturbed network beside the original one, a shortcut) with fixed
seeds, stores them in FOLDER as .npy, lets PROGRAM (solver_check) solve them and compares
errors to 1e-4 and the solutions as functions of the rows. One line per case; ends with
"N passed, N failed". PATTERN: only cases whose name contains it.
"""
import os
import sys

import numpy as np

import solver_reference as ref
import solver_selftest
from solver_program import ERROR_FLOOR, ERROR_TOLERANCE, Outcome, Program
from solver_ranks import run_rank_pairs, run_rank_rules
from solver_samples import dead_and_copied, draw_layer
from solver_table import SOLVER_CASES

ITERATE_FLOOR = 1e-9      # the same after an alternation in single precision
TIE = 1e-5                # relative: iterates this close are as good as each other
FUNCTION_TOLERANCE = 1e-3  # rms difference of M y + b, relative to the spread of the target


def compare_function(out, samples, found, expected, parts):
    """Rms difference of the two solutions on rows, relative to the target's spread there."""
    for first, end in parts:
        t, y, _ = samples.rows(first, end)
        if len(t) == 0:
            continue
        u, v = found.apply(y), expected.apply(y)
        spread = np.sqrt(np.mean((t - t.mean(axis=0)) ** 2)) or 1.0
        apart = np.sqrt(np.mean((u - v) ** 2)) / spread
        out.worst["M y + b"] = max(out.worst.get("M y + b", 0.0), apart)
        out.require("M y + b differ by %.3g on rows %d-%d" % (apart, first, end - 1),
                    apart <= FUNCTION_TOLERANCE)


def compare_choice(out, samples, found, expected, trace):
    """The iterates one by one, and which of them was returned."""
    out.floor = ITERATE_FLOOR
    out.require("%d iterates, expected %d" % (len(found["trace"]), len(trace)),
                len(found["trace"]) == len(trace))
    out.require("iterations", found["iterations"] == expected.iterations)
    for got, (fit, valid, lam, relaxed) in zip(found["trace"], trace):
        where = "iterate %d " % got[0]
        out.error(where + "fit", got[3], fit, "iterates")
        if samples.n_valid:
            out.error(where + "valid", got[4], valid, "iterates")
        if lam is not None:
            out.error(where + "relaxed", got[2], relaxed, "iterates")
            out.require(where + "lambda", np.isclose(got[1], lam, rtol=1e-6))
    judged = [row[1] if samples.n_valid else row[0] for row in trace]
    best = judged[expected.best]
    out.require("iterate %d returned, the best is %d" % (found["best"], expected.best),
                judged[found["best"]] <= best * (1 + TIE) + ERROR_FLOOR)
    # The start is in double precision and has no excuse.
    out.floor = ERROR_FLOOR if found["best"] == 0 else ITERATE_FLOOR


def compare_solution(out, samples, found, expected, spec):
    parts = {k: v for k, v in samples.parts().items()
             if v[1] > v[0] and not (spec.get("fit_only") and k != "fit")}
    for name, (first, end) in parts.items():
        of_mine = ref.response_error(expected, samples, first, end)
        of_theirs = ref.response_error(found["model"], samples, first, end)
        inherited = ref.response_error(None, samples, first, end)
        for i, stage in enumerate(("after", "before")):
            where = "%s rows, %s the nonlinearity: " % (name, stage)
            printed = found["error"][name][i]
            out.error(where + "error", printed, of_mine[i])
            out.error(where + "error function", printed, of_theirs[i], "error function")
            out.error(where + "inherited", found["inherited"][name][i], inherited[i],
                      "error function")
    compare_function(out, samples, found["model"], expected, parts.values())
    if "data_rank" in spec:
        out.require("data rank %d" % found["data_rank"],
                    found["data_rank"] == spec["data_rank"])


DEFAULT_SCHEDULE = ((25, 0.01), (25, 1.0))


NONLINEAR = ("relu", "3d", "spatial-refit")


def segments(trace):
    """A printed trace cut where a new group begins."""
    out = []
    for row in trace:
        if row[0] == 0:
            out.append([])
        out[-1].append(row)
    return out


def taken(schedule, trace):
    """The schedule with the iterations that the program made: a stage of it may end early."""
    lambdas = [row[1] for row in trace[:-1]]
    first = 0
    while first < min(schedule[0][0], len(lambdas)) and np.isclose(lambdas[first],
                                                                   schedule[0][1]):
        first += 1
    return (first, schedule[0][1]), (len(lambdas) - first, schedule[1][1])


def require_enough(out, part, rank, schedule, expected):
    """Ending early may not cost more than the tolerance against the whole schedule."""
    rows = part.parts()["valid" if part.n_valid else "fit"]
    error, whole = (ref.response_error(m, part, *rows)[0]
                    for m in (expected, ref.solve_relu(part, rank, schedule)))
    out.worst["early"] = max(out.worst.get("early", 0.0), error / max(whole, 1e-300) - 1)
    out.require("error %.9g, %.9g with all iterations" % (error, whole),
                error <= whole * (1 + ERROR_TOLERANCE) + ITERATE_FLOOR)


def solve_nonlinear(out, samples, groups, rank, schedule, found):
    """The reference's solution, group by group; of two iterates that tie, the one that the
    program returned."""
    models, printed = [], segments(found["trace"])
    for j in range(groups):
        part = samples.group(j, groups) if groups > 1 else samples
        trace, iterates = [], []
        mine = dict(found, trace=printed[j] if j < len(printed) else [])
        made = taken(schedule, mine["trace"])
        expected = ref.solve_relu(part, rank // groups, made, trace, iterates)
        if made != tuple(schedule):
            require_enough(out, part, rank // groups, schedule, expected)
        if groups > 1:
            judged = [row[4] if part.n_valid else row[3] for row in mine["trace"]]
            mine["best"] = int(np.argmin(judged)) if judged else 0
        compare_choice(out, part, mine, expected, trace)
        models.append(iterates[mine["best"]])
    if groups > 1:
        out.floor = ITERATE_FLOOR
    return ref.join_groups(models)


def expected_solution(out, arrays, samples, groups, rank, spec, found):
    if spec["method"] in NONLINEAR:
        schedule = spec.get("schedule", DEFAULT_SCHEDULE)
        return solve_nonlinear(out, samples, groups, rank, schedule, found)
    if spec["method"] == "pca":
        return ref.join_groups([ref.solve_linear(samples.group(j, groups), rank // groups)
                                for j in range(groups)])
    bias = arrays["bias"] if spec.get("has_bias", True) else np.zeros(len(arrays["bias"]))
    return ref.join_groups([ref.solve_weight_svd(w, b, rank // groups) for w, b in
                            zip(np.split(arrays["w"], groups), np.split(bias, groups))])


def draw_case(case):
    return draw_layer(case["seed"], case["d"], case["p"], case["n"], case["zeros"],
                      case.get("has_shortcut", False), case.get("edit"),
                      case.get("groups", 1), case.get("kernel", (1, 1)),
                      case.get("spatial", 0))


def run_solvers(program, case, report):
    """All methods and ranks of one set of samples."""
    arrays = draw_case(case)
    n, groups = case["n"], case.get("groups", 1)
    n_fit, n_valid = case.get("split", (n * 8 // 10, n // 10))
    act = case.get("act", ref.RELU)
    paths = {k: program.store(k, v) for k, v in arrays.items() if v is not None}
    shared = {"fit": n_fit, "valid": n_valid, "held": n - n_fit - n_valid,
              "act": "%r:%r:%r" % act, "group": groups}
    for spec in case["solve"]:
        is_symmetric = spec.get("symmetric", False)
        if is_symmetric:
            samples = ref.Samples(arrays["target"], arrays["target"], None, n_fit, n_valid,
                                  act, True)
            options = {"target": paths["target"]}
        else:
            samples = ref.Samples(arrays["target"], arrays["yhat"], arrays["shortcut"], n_fit,
                                  n_valid, act)
            options = {k: paths[k] for k in ("target", "yhat", "shortcut") if k in paths}
        schedule = spec.get("schedule", DEFAULT_SCHEDULE)
        if schedule != DEFAULT_SCHEDULE:
            options.update(iter1=schedule[0][0], lambda1=schedule[0][1],
                           iter2=schedule[1][0], lambda2=schedule[1][1])
        if spec["method"] == "svd":
            options["w"] = paths["w"]
            if spec.get("has_bias", True):
                options["bias"] = paths["bias"]
        options.update(shared)
        kind = "symmetric" if is_symmetric else "asymmetric"
        try:
            found = program.solve(spec["method"], spec["ranks"], options)
        except RuntimeError as error:
            for rank in spec["ranks"]:
                report("%s %s %s rank %d" % (case["name"], spec["method"], kind, rank),
                       [str(error)])
            continue
        for rank in spec["ranks"]:
            out = Outcome()
            expected = expected_solution(out, arrays, samples, groups, rank, spec,
                                         found[rank])
            compare_solution(out, samples, found[rank], expected, spec)
            detail = ", ".join("%s %.1e" % item for item in out.worst.items())
            if found[rank]["trace"]:
                detail += ", iterate %d" % found[rank]["best"]
            report("%s %s %s rank %d" % (case["name"], spec["method"], kind, rank),
                   out.problems, detail)
    for method, rank in case.get("networks", ()):
        run_network(program, case, arrays, dict(shared, **paths), method, rank, report)


def run_network(program, case, arrays, options, method, rank, report):
    """The parts the program builds, run on patches, against the reference's M y + b with the
    responses y of the reference's spatial filters."""
    groups, spatial = case.get("groups", 1), case.get("spatial", 0)
    n_fit, n_valid = options["fit"], options["valid"]
    label = "%s network of %s rank %d, %d" % (case["name"], method, rank, spatial)
    options = {k: v for k, v in options.items() if k not in ("x", "used")}
    options["kernel"] = "%dx%d" % case["kernel"]
    prefix = os.path.join(program.folder, "part")
    try:
        lines = program.lines("split", method, rank, spatial, "out=" + prefix, "trace=1",
                              *["%s=%s" % item for item in options.items()])
    except RuntimeError as error:
        return report(label, [str(error)])
    out = Outcome()
    samples = ref.Samples(arrays["target"], arrays["yhat"], arrays["shortcut"], n_fit, n_valid,
                          case.get("act", ref.RELU))
    found = {"trace": [tuple(map(float, line.split()[1:])) for line in lines
                       if line.startswith("trace")]}
    if rank == 0:
        expected = arrays["yhat"].astype(np.float64)
    else:
        models = []
        for j, rows in enumerate(segments(found["trace"])):
            iterates, part = [], samples.group(j, groups)
            ref.solve_relu(part, rank // groups, taken(DEFAULT_SCHEDULE, rows), None,
                           iterates)
            models.append(iterates[int(np.argmin([row[4] for row in rows]))])
        expected = ref.join_groups(models).apply(arrays["yhat"].astype(np.float64))
    shapes = [tuple(map(int, line.split()[1:])) for line in lines if line.startswith("part")]
    x = arrays["x"].astype(np.float64).reshape((case["n"], -1) + tuple(case["kernel"]))
    for i, (cout, cin, kh, kw, group, has_bias) in enumerate(shapes):
        w = np.load("%s-w%d.npy" % (prefix, i + 1)).astype(np.float64)
        b = np.load("%s-b%d.npy" % (prefix, i + 1)).ravel() if has_bias else None
        x = ref.run_part(x, w.reshape(cout, cin // group, kh, kw), b, group)
    y = x.reshape(case["n"], -1)
    s = 0.0 if arrays["shortcut"] is None else arrays["shortcut"]
    for name, (first, end) in samples.parts().items():
        act, t = samples.act, samples.target[first:end]
        rt = ref.activate(t, act)
        errors = [ref.ratio(np.sum((rt - ref.activate((u + s)[first:end], act)) ** 2),
                            np.sum(rt ** 2)) for u in (y, expected)]
        out.error(name + " rows: error", *errors)
    apart = np.sqrt(np.mean((y - expected) ** 2) / np.mean((y - y.mean(axis=0)) ** 2))
    out.require("outputs %.3g apart" % apart, apart < FUNCTION_TOLERANCE)
    report(label, out.problems, "%d parts, outputs %.1e, error %.1e"
           % (len(shapes), apart, out.worst.get("error", 0.0)))


# ---- spectra, rank rules, spatial filters ----

def run_spectrum(program, report):
    for name, seed, edit, dead in (("d64", 21, None, 0), ("d64 dead", 22, dead_and_copied, 4)):
        a = draw_layer(seed, 64, 48, 4000, 0.7, edit=edit)
        lines = program.lines("spectrum", "target=" + program.store("target", a["target"]),
                              "w=" + program.store("w", a["w"]))
        single = dict(line.split(maxsplit=1) for line in lines if not line.startswith("eig"))
        eig, sv, share = np.array([line.split()[1:] for line in lines
                                   if line.startswith("eig")], dtype=np.float64).T
        out = Outcome()
        expected = ref.spectrum(a["target"])
        # A covariance may be divided by n or by n - 1; its shares are the same.
        factor = eig.sum() / expected.sum()
        out.require("covariance scale %.9g" % factor,
                    min(abs(factor - 1), abs(factor - 4000 / 3999)) < 1e-5)
        apart = np.max(np.abs(eig / factor - expected)) / expected[0]
        out.require("eigenvalues %.2g apart" % apart, apart < 1e-6)
        expected_sv = np.zeros(64)
        s = np.linalg.svd(a["w"].astype(np.float64), compute_uv=False)
        expected_sv[:len(s)] = s
        out.require("singular values", np.max(np.abs(sv - expected_sv)) < 1e-5 * s[0])
        for rank in (1, 7, 30, 64):
            out.error("energy at %d" % rank, share[rank - 1], ref.energy(expected, rank))
        out.error("zeros", float(single["zeros"]), float(np.mean(a["target"] <= 0)))
        out.require("dead " + single["dead"], int(single["dead"]) == dead)
        out.require("data rank " + single["data_rank"], int(single["data_rank"]) ==
                    int(np.sum(expected > ref.GRAM_CUT * expected[0])))
        report("spectrum " + name, out.problems, "eigenvalues %.1e" % apart)


def run_spatial(program, report):
    """Closed-form k x 1 and 1 x k filters: the joined filters are compared, the factors
    themselves are only unique up to a rotation. And the singular values behind them."""
    for d, c, kh, kw, groups, rank in ((48, 32, 3, 3, 1, 6), (48, 32, 3, 3, 1, 40),
                                       (32, 16, 5, 3, 1, 20), (48, 32, 3, 3, 4, 24),
                                       (16, 16, 3, 3, 16, 32), (8, 3, 1, 3, 1, 2)):
        rng = np.random.default_rng(d * rank)
        each = rank // groups
        w = rng.standard_normal((d, c // groups * kh * kw)).astype(np.float32)
        prefix = os.path.join(program.folder, "spatial")
        label = "spatial %dx%dx%dx%d groups %d rank %d" % (d, c, kh, kw, groups, rank)
        try:
            lines = program.lines("spatial", rank, "w=" + program.store("w", w),
                                  "kernel=%dx%d" % (kh, kw), "group=%d" % groups,
                                  "out=" + prefix)
        except RuntimeError as error:
            report(label, [str(error)])
            continue
        v = np.load(prefix + "-v.npy").reshape(groups, each, c // groups, kh, 1)
        h = np.load(prefix + "-h.npy").reshape(groups, d // groups, each, 1, kw)
        joined = np.concatenate([ref.join_spatial(a, b) for a, b in zip(v, h)])
        joined = joined.reshape(d, -1)
        expected = ref.spatial_filters(w, (kh, kw), rank, groups)
        apart = np.linalg.norm(joined - expected) / np.linalg.norm(expected)
        out = Outcome()
        out.require("filters %.3g apart" % apart, apart < 1e-5)
        values = np.array([line.split()[1] for line in lines], dtype=np.float64)
        expected = ref.spatial_values(w, (kh, kw), groups)
        out.require("singular values", len(values) == len(expected)
                    and np.max(np.abs(values - expected)) < 1e-9 * expected[0])
        report(label, out.problems, "filters %.1e" % apart)


def main(arguments):
    program = Program(arguments[0], arguments[1])
    pattern = arguments[2] if len(arguments) > 2 else ""
    count = list(solver_selftest.self_test())

    def report(label, problems, detail=""):
        count[1 if problems else 0] += 1
        print("%s  %s  %s" % ("FAIL" if problems else "ok  ", label, detail))
        for problem in problems[:6]:
            print("        " + problem)
        if len(problems) > 6:
            print("        and %d more" % (len(problems) - 6))
        sys.stdout.flush()

    for case in SOLVER_CASES:
        if pattern in case["name"]:
            run_solvers(program, case, report)
    for name, run in (("spectrum", run_spectrum), ("rank", run_rank_rules),
                      ("rank pairs", run_rank_pairs),
                      ("spatial", run_spatial)):
        if pattern in name:
            run(program, report)
    print("%d passed, %d failed" % tuple(count))
    return 1 if count[1] else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
