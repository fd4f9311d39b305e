"""What report needs besides its claims: running scripts, reading files, statistics, plots."""
import array
import gzip
import hashlib
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import time

MEAN, STD = 0.2860, 0.3530
Z95 = 1.959963984540054


def sha256(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def read_idx(path):
    """The dimensions and the bytes of a gzipped idx file of bytes."""
    with gzip.open(path) as f:
        raw = f.read()
    n = raw[3]
    return struct.unpack('>%dI' % n, raw[4 : 4 + 4 * n]), raw[4 + 4 * n :]


def write_images(path, idx, count):
    """The first images of an idx file as .npy, normalised as the networks want them."""
    (n, h, w), raw = read_idx(idx)
    n = min(n, count)
    table = [(i / 255 - MEAN) / STD for i in range(256)]
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 1, %d, %d), }" % (n, h, w)
    head += ' ' * (-(len(head) + 11) % 64) + '\n'
    values = array.array('f', (table[b] for b in raw[: n * h * w]))
    if sys.byteorder == 'big':
        values.byteswap()
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
        f.write(values.tobytes())


def read_outputs(path):
    """The rows of a two-dimensional little-endian float32 .npy file, one list per image."""
    with open(path, 'rb') as f:
        raw = f.read()
    start = 10 + struct.unpack('<H', raw[8:10])[0]
    head = raw[10:start].decode()
    shape = head.split("'shape':")[1].split('(')[1].split(')')[0]
    n, k = [int(x) for x in shape.split(',') if x.strip()][:2]
    values = array.array('f', raw[start : start + 4 * n * k])
    if sys.byteorder == 'big':
        values.byteswap()
    return [values[i : i + k].tolist() for i in range(0, n * k, k)]


class Answers:
    """What one network answers: right or wrong for each image, and its outputs."""

    def __init__(self, rows, labels):
        self.rows = rows
        self.hits = bytes(r.index(max(r)) == l for r, l in zip(rows, labels))
        self.top1 = sum(self.hits) / len(self.hits)

    def output_error(self, other):
        """|o - o'|^2 / |o'|^2 against the outputs o' of another network."""
        top = bottom = 0.0
        for a, b in zip(self.rows, other.rows):
            for x, y in zip(a, b):
                top += (x - y) * (x - y)
                bottom += y * y
        return top / bottom


def wilson(k, n):
    p, z2 = k / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def paired(a, b):
    """Top-1 of a minus that of b on the same images, with its 95 % interval: R. G. Newcombe,
    "Improved confidence intervals for the difference between binomial proportions based on
    paired data", 1998, method 10. The same as in the command eval."""
    both = sum(x & y for x, y in zip(a.hits, b.hits))
    only_a, only_b = sum(a.hits) - both, sum(b.hits) - both
    n = len(a.hits)
    neither = n - both - only_a - only_b
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    top = both * neither - only_a * only_b
    if top > 0:
        top = max(0, top - n / 2)
    r = top / math.sqrt(margins) if margins else 0
    p1, p2 = (both + only_a) / n, (both + only_b) / n
    (l1, u1), (l2, u2) = wilson(both + only_a, n), wilson(both + only_b, n)
    d = p1 - p2
    return (
        d,
        d - math.sqrt(max(0, (p1 - l1) ** 2 - 2 * r * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)),
        d + math.sqrt(max(0, (u1 - p1) ** 2 - 2 * r * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)),
    )


def pearson(x, y):
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    a = sum((u - mx) * (v - my) for u, v in zip(x, y))
    b = sum((u - mx) ** 2 for u in x) * sum((v - my) ** 2 for v in y)
    return a / math.sqrt(b) if b > 0 else float('nan')


def ranks(x):
    """Ranks from 1, equal values sharing their mean."""
    order = sorted(range(len(x)), key=lambda i: x[i])
    out, i = [0.0] * len(x), 0
    while i < len(x):
        j = i
        while j + 1 < len(x) and x[order[j + 1]] == x[order[i]]:
            j += 1
        for k in range(i, j + 1):
            out[order[k]] = (i + j) / 2 + 1
        i = j + 1
    return out


def spearman(x, y):
    return pearson(ranks(x), ranks(y))


def correlation_interval(r, n):
    """95 % of a correlation by Fisher's transformation."""
    if n < 4 or not abs(r) < 1:
        return r, r
    z, h = math.atanh(r), Z95 / math.sqrt(n - 3)
    return math.tanh(z - h), math.tanh(z + h)


def processor():
    """The name of the processor and how many of them there are, as Linux says."""
    name, n = 'unknown processor', os.cpu_count()
    try:
        with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as f:
            names = [l.split(':', 1)[1].strip() for l in f if l.startswith('model name')]
        name = names[0] if names else name
    except OSError:
        pass
    return '%s, %d processor%s' % (name, n, '' if n == 1 else 's')


class Runner:
    """Runs scripts on one network in folders of their own; what is there already is kept.

    A result is valid for the program, its threads, the script, the network and the images it
    came from: a hash of these is in its stamp. So is what ran it, since a report may be
    written elsewhere. Results appear under their name only when complete, and when the
    script's check, if it has one, finds nothing to say of their folder."""

    TRIES = 3
    # Threads that wait otherwise than the program's own do would be timed with it.
    WAITING = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')

    def __init__(self, options, net, labels, model_hash, data_hash, program, checks):
        self.o, self.net, self.checks = options, net, checks
        self.labels = labels
        self.root = os.path.join(options.work, ('quick-' if options.quick else '') + net)
        self.base = [program['sha256'], model_hash, data_hash, str(options.quick)]
        self.base += [str(options.threads)]
        self.here = dict(program, processor=processor(), threads=options.threads)
        self.here['date'] = options.date
        self.seconds, self.by, self.cache = {}, {}, {}

    def run(self, script):
        here = os.path.dirname(os.path.abspath(__file__))
        text = ''
        for name in ('open-%s.rl' % self.net, script + '.rl'):
            with open(os.path.join(here, name), encoding='utf-8') as f:
                text += f.read()
            if self.o.quick and name.startswith('open-'):
                text += (
                    'data calib @fashion --count %d\nset iterations 4,4\n' % self.o.quick_calib
                )
        if self.o.quick:
            text = text.replace('--count 1000', '--count 80').replace('--count 300', '--count 60')
            text = text.replace('--count 100 ', '--count 50 ')
            text = text.replace('time >', 'time --runs 5 >')
        key = hashlib.sha256('\n'.join(self.base + [text]).encode()).hexdigest()
        folder = os.path.join(self.root, script)
        stamp = os.path.join(folder, 'done.json')
        try:
            with open(stamp, encoding='utf-8') as f:
                done = json.load(f)
        except (OSError, ValueError):
            done = {}
        if done.get('key') != key:
            done = {'key': key, 'seconds': self.execute(folder, script, text), 'by': self.here}
            with open(stamp, 'w', encoding='utf-8') as f:
                json.dump(done, f)
        self.seconds[script], self.by[script] = done['seconds'], done['by']

    def execute(self, folder, script, text):
        new, check = folder + '.part', self.checks.get(script)
        for _ in range(self.TRIES):
            seconds = self.execute_once(new, script, text)
            wrong = check(new) if check and not self.o.quick else None
            if not wrong:
                shutil.rmtree(folder, ignore_errors=True)
                os.rename(new, folder)
                return seconds
            print('%s: %s: %s' % (self.net, script, wrong), flush=True)
        raise SystemExit('%s: no use after %d tries' % (script, self.TRIES))

    def execute_once(self, new, script, text):
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new)
        os.symlink(os.path.abspath(self.o.images), os.path.join(new, 'images.npy'))
        with open(os.path.join(new, 'script.rl'), 'w', encoding='utf-8') as f:
            f.write(text)
        print('%s: %s ...' % (self.net, script), end=' ', flush=True)
        env = dict(os.environ, RANKLAB_DATA=os.path.abspath(self.o.data), LC_ALL='C.UTF-8')
        if script == 'latency':
            for name in self.WAITING:
                env.pop(name, None)
        else:
            env.setdefault('OMP_WAIT_POLICY', 'passive')
        start = time.monotonic()
        with open(os.path.join(new, 'log.txt'), 'w', encoding='utf-8') as log:
            done = subprocess.run(
                [
                    self.o.ranklab,
                    '-b',
                    '-x',
                    '--no-init',
                    '--seed',
                    str(self.o.seed),
                    '--threads',
                    str(self.o.threads),
                    '-f',
                    'script.rl',
                ],
                cwd=new,
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        seconds = time.monotonic() - start
        if done.returncode != 0:
            print('failed (%d)' % done.returncode)
            with open(os.path.join(new, 'log.txt'), encoding='utf-8') as log:
                sys.stderr.write(''.join(log.readlines()[-8:]))
            raise SystemExit(1)
        print('%.0f s' % seconds, flush=True)
        return seconds

    def path(self, script, name):
        return os.path.join(self.root, script, name)

    def text(self, script, name):
        with open(self.path(script, name), encoding='utf-8') as f:
            return f.read()

    def json(self, script, name):
        return json.loads(self.text(script, name + '.json'))

    def layers(self, script, name):
        """Rows of a table's convolutions, in the order of the network."""
        return [r for r in self.json(script, name) if r.get('op') == 'Conv']

    def total(self, script, name):
        return next(r for r in self.json(script, name) if r['layer'] == 'total')

    def answers(self, script, name):
        key = script, name
        if key not in self.cache:
            self.cache[key] = Answers(read_outputs(self.path(script, name + '.npy')), self.labels)
        return self.cache[key]


class Plot:
    """One SVG figure by gnuplot: curves, points or bars of given data."""

    COLOURS = (
        '#0072b2',
        '#d55e00',
        '#009e73',
        '#000000',
        '#cc79a7',
        '#b08000',
        '#56b4e9',
        '#7f3fbf',
        '#8c8c00',
        '#803020',
    )
    MARKS = (7, 5, 9, 13, 4, 6, 8, 10, 12, 2)

    def __init__(self, title, xlabel, ylabel, *settings):
        self.head = [
            'set title "%s"' % title,
            'set xlabel "%s"' % xlabel,
            'set ylabel "%s"' % ylabel,
            'set grid lc rgb "#dddddd"',
            'set key outside right top noenhanced',
            'set border 3',
            'set tics nomirror',
        ] + list(settings)
        self.parts, self.data = [], []

    def add(self, label, points, style='linespoints'):
        """A curve; colour, dashes and marks differ from the others unless style has them."""
        k = len(self.data)
        name = '$d%d' % k
        if ' lc ' not in style:
            style += ' lc rgb "%s" pt %d ps 0.8' % (self.COLOURS[k % 10], self.MARKS[k % 10])
            if not style.startswith('points'):
                style += ' lw 1.5 dt %d' % (1 + k % 4)
        self.data.append(
            '%s << EOD\n%s\nEOD' % (name, '\n'.join(' '.join(str(v) for v in p) for p in points))
        )
        self.parts.append(
            '%s %s with %s %s'
            % (name, self.using(points), style, 'title "%s"' % label if label else 'notitle')
        )

    @staticmethod
    def using(points):
        return 'using ' + ':'.join(str(i + 1) for i in range(len(points[0])))

    def write(self, path):
        text = '\n'.join(
            [
                'set terminal svg size 760,430 font "sans,12" background rgb "white"',
                'set output "%s"' % os.path.basename(path),
            ]
            + self.head
            + self.data
            + ['plot ' + ', '.join(self.parts), '']
        )
        subprocess.run(
            ['gnuplot', '-'], input=text.encode(), cwd=os.path.dirname(path), check=True
        )
