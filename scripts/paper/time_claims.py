"""Claims on measured time. A function gets the results of one network and gives back a
Section."""
import os

from paperlib import Plot
from section import FAILS, HOLDS, PART, SPEEDUPS, Section, draw

BATCHES = (1, 64)
NAMES = {'relu': 'nonlinear', '3d': '3d', 'round': 'nonlinear, ranks by 8'}
NEAR = 0.8


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


def network_row(r, method, x, batch):
    rows = r.json('latency', '%s-%d-%d' % (method, x, batch))
    return next(l for l in rows if l['layer'] == 'network')


def b18(r, o):
    s, rows = Section(), []
    seen = {
        (m, b): [network_row(r, m, x, b) for x in SPEEDUPS] for m in NAMES for b in BATCHES
    }
    for m in ('relu', '3d'):
        for b in BATCHES:
            near = [l['speedup_ms'] >= NEAR * l['speedup'] for l in seen[m, b]]
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
                    '%.0f %%' % (100 * l['speedup_ms'] / l['speedup']),
                    '%.3f' % l['ms_original'],
                    '%.3f [%.3f, %.3f]' % (l['ms'], l['ms_low'], l['ms_high']),
                ]
            )
    s.say(
        'Measured on %s, %d thread%s of the engine named above, direct convolutions; original'
        ' and approximated network in turn, medians and quartiles of whole runs.'
        % (processor(), o.threads, '' if o.threads == 1 else 's')
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
