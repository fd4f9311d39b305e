"""Runs solver_check on stored arrays, and collects what disagrees with the reference."""
import os
import subprocess

import numpy as np

import solver_reference as ref

ERROR_TOLERANCE = 1e-4    # relative, of a relative response error
ERROR_FLOOR = 1e-11       # below it an error is rounding: (1e-6)^2 and some room


class Program:
    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.methods = self.lines("methods")

    def lines(self, *words):
        done = subprocess.run([self.path, *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError("exit status %d: %s" % (done.returncode, done.stderr.strip()))
        return done.stdout.splitlines()

    def store(self, name, array):
        path = os.path.join(self.folder, name + ".npy")
        np.save(path, np.ascontiguousarray(array, dtype=np.float32))
        return path

    def solve(self, method, ranks, options):
        """{rank: {key: value}} of what was printed, and the factors as a LowRank."""
        prefix = os.path.join(self.folder, "factors")
        words = ["%s=%s" % item for item in options.items()]
        found, current = {}, None
        for line in self.lines("solve", method, ",".join(map(str, ranks)), "out=" + prefix,
                               "trace=1", *words):
            key, *rest = line.split()
            if key == "rank":
                current = found[int(rest[0])] = {"error": {}, "inherited": {}, "trace": []}
            elif key in ("error", "inherited"):
                current[key][rest[0]] = tuple(map(float, rest[1:]))
            elif key == "trace":
                current[key].append(tuple(map(float, rest)))
            else:
                current[key] = int(rest[0])
        for rank, result in found.items():
            factors = np.load("%s-%d.npy" % (prefix, rank))
            kept = factors.shape[1] // 2
            result["model"] = ref.LowRank(factors[:, :kept], factors[:, kept:2 * kept],
                                          factors[:, -1])
        return found


class Outcome:
    """Collects what disagrees and the largest deviations of one case."""

    def __init__(self):
        self.problems, self.worst, self.floor = [], {}, ERROR_FLOOR

    def error(self, what, found, expected, kind="error"):
        if np.isnan(found) or np.isnan(expected):
            self.problems.append("%s: %.9g, expected %.9g" % (what, found, expected))
            return
        if found == expected or max(abs(found), abs(expected)) < self.floor:
            return
        apart = abs(found - expected) / max(abs(found), abs(expected))
        self.worst[kind] = max(self.worst.get(kind, 0.0), apart)
        if not apart <= ERROR_TOLERANCE:
            self.problems.append("%s: %.9g, expected %.9g" % (what, found, expected))

    def require(self, what, holds):
        if not holds:
            self.problems.append(what)
