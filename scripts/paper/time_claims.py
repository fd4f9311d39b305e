"""Claims on measured time. A function gets the results of one network and gives back a
Section."""
import json
import math
import os
import re

from paperlib import Plot
from section import FAILS, HOLDS, PART, SPEEDUPS, Section, draw

BATCHES = (1, 64)
NAMES = {'relu': 'nonlinear', '3d': '3d', 'round': 'nonlinear, ranks by 8'}
NEAR = 0.8
# Originals are timed beside every network: when they differ by more, so did the machine.
STEADY = 1.05



def network_row(folder, method, x, batch):
    path = os.path.join(folder, '%s-%d-%d.json' % (method, x, batch))
    with open(path, encoding='utf-8') as f:
        return next(l for l in json.load(f) if l['layer'] == 'network')


def unsteady(folder):
    """What is wrong with the times in a folder, if anything is."""
    for b in BATCHES:
        ms = [network_row(folder, m, x, b)['ms_original'] for m in NAMES for x in SPEEDUPS]
        if max(ms) > STEADY * min(ms):
            return (
                'the original takes %.3f to %.3f ms at batch %d: the machine was not the same'
                ' throughout' % (min(ms), max(ms), b)
            )
    return None


def of_theory(l):
    return l['speedup_ms'] / l['speedup']


def cut(share):
    """In percent, with decimals cut off: what is below the criterion never reads as 80.0."""
    return '%.1f %%' % (math.floor(1000 * share) / 10)


def engine(version):
    return next(l.split(None, 1)[1] for l in version.splitlines() if l.startswith('engine'))


def b18(r, o):
    s, rows = Section(), []
    folder = os.path.dirname(r.path('latency', 'script.rl'))
    seen = {
        (m, b): [network_row(folder, m, x, b) for x in SPEEDUPS]
        for m in NAMES
        for b in BATCHES
    }
    for m in ('relu', '3d'):
        for b in BATCHES:
            near = [of_theory(l) >= NEAR for l in seen[m, b]]
            word = HOLDS if all(near) else PART if any(near) else FAILS
            s.verdict('%s, batch %d' % (NAMES[m], b), word)
    for (m, b), found in seen.items():
        for x, l in zip(SPEEDUPS, found):
            rows.append(
                [
                    NAMES[m],
                    b,
                    '%gx' % x,
                    '%.2f' % l['speedup'],
                    '%.2f' % l['speedup_ms'],
                    cut(of_theory(l)),
                    '%.3f' % l['ms_original'],
                    '%.3f [%.3f, %.3f]' % (l['ms'], l['ms_low'], l['ms_high']),
                ]
            )
    by = r.by['latency']
    threads = int(re.search(r'set deploy-threads (\d+)', r.text('latency', 'script.rl')).group(1))
    s.say(
        'Measured on %s (date: %s), by ranklab `%s`, %s, with %d deployment thread%s, direct'
        ' convolutions; original and approximated network in turn, medians and quartiles of'
        ' whole runs.'
        % (
            by['processor'],
            by['date'],
            by['sha256'][:16],
            engine(by['version']),
            threads,
            '' if threads == 1 else 's',
        )
    )
    if not o.quick:
        s.say(
            'At one batch the original of no row takes over %.0f %% longer than that of another:'
            ' else all would have been measured again.' % (100 * (STEADY - 1))
        )
    most_ms = max(l['ms_original'] for m in NAMES for l in seen[m, 1])
    s.say(
        'The paper\'s times are of one thread too, but of networks that take 930 ms and more'
        ' where this one takes %.2f ms at batch 1: what every layer costs beside its'
        ' multiply-adds weighs far more here.' % most_ms
    )
    s.table(
        ['method', 'batch', 'asked', 'MACs', 'time', 'of theory', 'original, ms', 'ms'], rows
    )
    plot = Plot(
        'Measured against theoretical speedup, %s' % r.net,
        'speedup in multiply-adds, whole network',
        'speedup in milliseconds',
        'set xrange [1:*]',
        'set yrange [0:*]',
    )
    for (m, b), found in seen.items():
        curve = [(l['speedup'], l['speedup_ms']) for l in found]
        plot.add('%s, batch %d' % (NAMES[m], b), curve)
    most = max(l['speedup'] for found in seen.values() for l in found)
    plot.add('theory', [(1, 1), (most, most)], 'lines lc rgb "#888888" lw 1.5 dt 1')
    draw(r, o, s, plot, 'latency', 'Measured speedup against theoretical speedup')
    return s
