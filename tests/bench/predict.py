#!/usr/bin/env python3
"""How well predicted accuracy orders networks that were not learned from, on @fashion, and
whether its intervals hold.

Draws random ranks for every layer, evaluates some networks to learn from and others to try,
each kind with a journal of its own, and predicts the latter from all or from some of the
former: the mildest, a single one. 30 and 30 take about ten minutes; with a FOLDER that is
kept, what was evaluated before is not evaluated again.
usage: predict.py [RANKLAB [FOLDER [N_LEARN [N_TEST [IMAGES]]]]]
"""
import json
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
AT_ONCE = 5  # networks evaluated by one run of the program


def cost(i, r):
    return MACS[i] if r >= EVEN[i] else MACS[i] * r * (PATCH[i] + D[i]) / (PATCH[i] * D[i])


def speedup(ranks):
    return sum(MACS) / sum(cost(i, r) for i, r in enumerate(ranks))


def draw(rng):
    """Ranks of a network between 2x and 5x, each alike over all scales."""
    while True:
        ranks = [round(math.exp(rng.uniform(math.log(d / 12), math.log(e + 1)))) for d, e in zip(D, EVEN)]
        ranks = [d if r >= e else max(1, r) for r, d, e in zip(ranks, D, EVEN)]
        if 2 <= speedup(ranks) <= 5:
            return tuple(ranks)


def ranked(x):
    return [sum(b < a for b in x) + 0.5 * (sum(b == a for b in x) - 1) for a in x]


def correlation(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    return xy / math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


class Journal:
    """A cache folder of the program, and the networks its journal knows."""

    def __init__(self, program, folder, images):
        self.program, self.folder, self.images = program, folder, images
        self.path = os.path.join(folder, 'ranklab', 'journal.jsonl')

    def lines(self):
        """{ranks: line} of the networks evaluated on so many images."""
        found = {}
        if os.path.exists(self.path):
            with open(self.path) as f:
                for line in f:
                    r = json.loads(line)
                    words = (r.get('detail') or '').split()
                    if r['what'] == 'network' and r['images'] == self.images and len(words) == len(D) + 2:
                        ranks = tuple(int(w[5:]) for w in words[:len(D)] if re.fullmatch(r'relu:\d+', w))
                        if len(ranks) == len(D):
                            found[ranks] = line
        return found

    def run(self, commands):
        script = ['open @fashion'] + commands
        env = dict(os.environ, XDG_STATE_HOME=self.folder, XDG_CACHE_HOME=self.folder)
        done = subprocess.run([self.program, '-b', '--no-init', '-f', '-'], env=env, check=True, input='\n'.join(script) + '\n', stdout=subprocess.PIPE, universal_newlines=True)
        return done.stdout

    def evaluate(self, networks):
        """{ranks: (difference, speedup)}, in points."""
        while True:
            known = self.lines()
            todo = [n for n in networks if n not in known]
            if not todo:
                break
            commands = []
            for ranks in todo[:AT_ONCE]:
                commands += set_ranks(ranks) + ['solve', 'eval --count %d' % self.images]
            self.run(commands)
        return {n: 100 * json.loads(known[n])['top1_difference'] for n in networks}

    def predict(self, networks):
        """[(difference, half width)], and what the program says of those left out."""
        commands = []
        for ranks in networks:
            commands += set_ranks(ranks) + ['echo NEXT']
        said, last = [], None
        text = self.run(commands + ['predict'])
        for line in text.split('\n'):
            m = re.match(r'predicted top-1 (\S+) \+-(\S+) points', line)
            if m and len(said) < len(networks):
                last = float(m[1]), float(m[2])
            elif line == 'NEXT':
                said.append(last)
        about = [line for line in text.split('\n') if line.startswith('left out one by one')]
        return said, about[0] if about else ''

    def part(self, folder, networks):
        """A journal that knows only some of the networks."""
        os.makedirs(os.path.join(folder, 'ranklab'))
        known = self.lines()
        other = Journal(self.program, folder, self.images)
        with open(other.path, 'w') as f:
            f.writelines(known[n] for n in networks)
        return other


def set_ranks(ranks):
    return ['rank conv%d %d' % (i + 1, r) for i, r in enumerate(ranks)]


def tell(title, journal, measured):
    networks = list(measured)
    predicted, about = journal.predict(networks)
    truth = [measured[n] for n in networks]
    off = [p - m for (p, _), m in zip(predicted, truth)]
    print('%s: %d others' % (title, len(networks)))
    if len(networks) > 2:
        print('  Spearman %.3f' % correlation(ranked([p for p, _ in predicted]), ranked(truth)))
    print('  root mean square error %.2f points' % math.sqrt(sum(o * o for o in off) / len(off)))
    print('  95 %% intervals that held %d of %d, mean half width %.2f' % (sum(abs(o) <= w for o, (_, w) in zip(off, predicted)), len(off), sum(w for _, w in predicted) / len(off)))
    if about:
        print('  ' + about)


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/ranklab')
    n_learn, n_test, images = [int(a) for a in sys.argv[3:6] + ['30', '30', '10000'][len(sys.argv[3:6]):]]
    learn, test = random.Random(2), random.Random(1)
    tests, learned = [draw(test) for _ in range(n_test)], [draw(learn) for _ in range(n_learn)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = sys.argv[2] if len(sys.argv) > 2 else temporary
        source = Journal(program, os.path.join(folder, 'learn'), images)
        losses = source.evaluate(learned)
        measured = Journal(program, os.path.join(folder, 'test'), images).evaluate(tests)
        print('networks of @fashion between 2x and 5x, %d images' % images)
        tell('learned from %d networks' % n_learn, source, measured)
        mild = sorted(learned, key=speedup)[:n_learn // 3]
        strong = sorted(tests, key=speedup)[-(n_test // 3):]
        if mild and strong:
            part = source.part(os.path.join(temporary, 'mild'), mild)
            tell('learned from %d up to %.1fx, tried on those from %.1fx' % (len(mild), speedup(mild[-1]), speedup(strong[0])), part, {n: measured[n] for n in strong})
        small = sorted(learned, key=losses.get)[-(n_learn // 3):]
        large = sorted(tests, key=measured.get)[:n_test // 3]
        if small and large:
            part = source.part(os.path.join(temporary, 'small'), small)
            tell('learned from %d that lost at most %.2f, tried on those that lost at least %.2f' % (len(small), -losses[small[0]], -measured[large[-1]]), part, {n: measured[n] for n in large})
        part = source.part(os.path.join(temporary, 'one'), learned[:1])
        tell('learned from one network', part, measured)


if __name__ == '__main__':
    main()
