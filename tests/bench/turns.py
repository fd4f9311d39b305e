"""Programs that run something when told to, taking turns, for the cases that compare them.
Each prints a line that begins with `ready`, then answers every number N that it reads with N
times in milliseconds, on one line."""
import subprocess
import sys
import time


class Side:
    def __init__(self, name, argv, env=None):
        self.name = name
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        universal_newlines=True, bufsize=1, env=env)
        self.ready = self.process.stdout.readline().split()
        if self.ready[:1] != ["ready"]:
            self.close()
            sys.exit("%s did not start" % name)

    def run(self, n):
        """Times of n runs, the first of which, with cold caches, is left out."""
        print(n + 1, file=self.process.stdin, flush=True)
        ms = [float(x) for x in self.process.stdout.readline().split()]
        if len(ms) != n + 1:
            sys.exit("%s ended" % self.name)
        return ms[1:]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def median(x):
    x = sorted(x)
    return (x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2


def take_turns(sides, rounds, target_ms):
    """[side][round]: the median of a side's runs in a round, which take about target_ms."""
    first = [median(s.run(1)) for s in sides]
    n = [max(1, min(200, int(target_ms / ms))) for ms in first]
    seen = [[] for _ in sides]
    for k in range(rounds):
        order = range(len(sides))
        for i in order if k % 2 == 0 else reversed(order):
            seen[i].append(median(sides[i].run(n[i])))
            # threads that still wait actively for more work must not disturb the next one
            time.sleep(0.05)
    return seen


def ratio(theirs, ours):
    """Median ratio of the rounds and its extremes, as text."""
    r = [a / b for a, b in zip(theirs, ours)]
    return "%.2f (%.2f..%.2f)" % (median(r), min(r), max(r))
