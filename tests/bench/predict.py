#!/usr/bin/env python3
"""How well predicted accuracy orders networks that were not learned from, on @fashion.

Draws random ranks for every layer, learns from some networks, predicts others, then measures
those too and prints Spearman's correlation, the error, and how many intervals held. 30 and 30
take about ten minutes. usage: predict.py [RANKLAB [N_LEARN [N_TEST [IMAGES]]]]
"""
import math
import os
import random
import re
import subprocess
import sys
import tempfile

D = [48, 48, 80, 80, 128, 128, 128]
PATCH = [9, 432, 432, 720, 720, 1152, 1152]
MACS = [338688, 16257024, 6773760, 11289600, 4515840, 7225344, 7225344]
EVEN = [math.ceil(p * d / (p + d)) for p, d in zip(PATCH, D)]


def cost(i, r):
    return MACS[i] if r >= EVEN[i] else MACS[i] * r * (PATCH[i] + D[i]) / (PATCH[i] * D[i])


def draw(rng):
    """Ranks of a network between 2x and 5x, each alike over all scales."""
    while True:
        ranks = [round(math.exp(rng.uniform(math.log(d / 12), math.log(e + 1)))) for d, e in zip(D, EVEN)]
        ranks = [d if r >= e else max(1, r) for r, d, e in zip(ranks, D, EVEN)]
        if 2 <= sum(MACS) / sum(cost(i, r) for i, r in enumerate(ranks)) <= 5:
            return ranks


def lines(ranks):
    return ['rank conv%d %d' % (i + 1, r) for i, r in enumerate(ranks)]


def ranked(x):
    return [sum(b < a for b in x) + 0.5 * (sum(b == a for b in x) - 1) for a in x]


def correlation(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    return xy / math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else 'build/ranklab'
    n_learn, n_test, images = [int(a) for a in sys.argv[2:5] + ['30', '30', '10000'][len(sys.argv[2:5]):]]
    learn, test = random.Random(2), random.Random(1)
    tests = [draw(test) for _ in range(n_test)]
    script = ['open @fashion', 'data eval @fashion --count %d' % images]
    for _ in range(n_learn):
        script += lines(draw(learn)) + ['solve', 'eval']
    for ranks in tests:
        script += lines(ranks) + ['echo PREDICTED']
    for ranks in tests:
        script += lines(ranks) + ['solve', 'eval', 'echo MEASURED']
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'predict.rl')
        with open(path, 'w') as f:
            f.write('\n'.join(script) + '\n')
        env = dict(os.environ, XDG_STATE_HOME=folder, XDG_CACHE_HOME=folder)
        text = subprocess.run([program, '-b', '--no-init', '-f', path], env=env, check=True, stdout=subprocess.PIPE).stdout.decode()
    predicted, measured, last = [], [], None
    for line in text.split('\n'):
        m = re.match(r'predicted top-1 (\S+) \+-(\S+) points', line)
        v = re.match(r' *\d+ +[\d.]+ +[\d.]+ +(-?[\d.]+) +(-?[\d.]+) +(-?[\d.]+) ', line)
        if m or v:
            last = (float((m or v)[1]), float(m[2]) if m else None)
        elif line == 'PREDICTED':
            predicted.append(last)
        elif line == 'MEASURED':
            measured.append(last[0])
    off = [p - m for (p, _), m in zip(predicted, measured)]
    print('learned from %d networks, tried on %d others between 2x and 5x, %d images' % (n_learn, n_test, images))
    print('Spearman %.3f' % correlation(ranked([p for p, _ in predicted]), ranked(measured)))
    print('root mean square error %.2f points' % math.sqrt(sum(o * o for o in off) / n_test))
    print('95 %% intervals that held %d of %d, mean half width %.2f' % (sum(abs(o) <= w for o, (_, w) in zip(off, predicted)), n_test, sum(w for _, w in predicted) / n_test))


if __name__ == '__main__':
    main()
