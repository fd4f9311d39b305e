"""Claims on what the result of a whole network depends on: calibration images, schedule,
allocation of ranks. A function gets the results of one network and gives back a Section."""
import paperlib as lib
from paperlib import Plot, paired
from section import FAILS, HOLDS, PART, Section, above_zero, draw, own, points, whether


def b16(r, o):
    s, ref, rows, flat = Section(), r.answers('methods', 'original'), [], []
    full = r.answers('calibration', '3000-1')
    e0 = full.output_error(ref)
    curve = []
    for n in (100, 300, 1000, 3000):
        for seed in (1, 2):
            if n == 3000 and seed == 2:
                continue
            a = r.answers('calibration', '%d-%d' % (n, seed))
            e, d = a.output_error(ref), paired(full, a)
            curve.append((n, e))
            rows.append(
                [
                    n,
                    seed if n < 3000 else '-',
                    '%.5f' % e,
                    points(paired(a, ref)),
                    points(d) if n < 3000 else '',
                ]
            )
            if n == 1000:
                flat += [d[1] <= 0, e < 1.05 * e0]
    s.table(['images', 'draw', 'output error', 'top-1 difference', '3,000 minus this'], rows)
    plot = Plot(
        'Calibration images, 4x, %s' % r.net,
        'calibration images',
        'output error on the test images',
        'set logscale x',
        'set xtics (100, 300, 1000, 3000)',
        'set xrange [80:4000]',
        'set yrange [0:*]',
    )
    plot.add('', curve, 'points')
    draw(r, o, s, plot, 'calibration', 'Output error against the number of calibration images')
    s.verdict('3,000 are enough', whether(all(flat)))
    return s


SCHEDULES = (
    ('two-stages', '0.01 then 1'),
    ('only-1', '1 only'),
    ('only-0.01', '0.01 only'),
    ('only-100', '100 only'),
)


def b17(r, o):
    s, ref, rows, err, diff = Section(), r.answers('methods', 'original'), [], {}, []
    base = r.answers('schedule', 'two-stages')
    for f, name in SCHEDULES:
        e = [l['error_heldout'] for l in own(r)('schedule', f)]
        lin = [l['error_linear'] for l in own(r)('schedule', f)]
        err[f] = sum(e) / len(e)
        a = r.answers('schedule', f)
        d = paired(base, a)
        if f != 'two-stages':
            diff.append(d)
        rows.append(
            [
                name,
                '%.5f' % err[f],
                '%.5f' % (sum(lin) / len(lin)),
                '%.5f' % a.output_error(ref),
                points(paired(a, ref)),
                '' if f == 'two-stages' else points(d),
            ]
        )
    s.table(
        [
            'lambda',
            'held-out error',
            'linear',
            'output error',
            'top-1 difference',
            'two stages minus this',
        ],
        rows,
    )
    s.verdict('lowest error', whether(all(err['two-stages'] <= v for v in err.values())))
    s.verdict('0.01 then 1 better than 100', whether(err['two-stages'] < err['only-100']))
    s.verdict('accuracy', above_zero(diff))
    return s


def b19(r, o):
    s, ref, pts = Section(), r.answers('methods', 'original'), []
    script = 'allocations-' + r.net
    for k in range(21):
        product = 1.0
        for l in r.layers(script, 'layers-%d' % k):
            product *= l['energy'] if l['energy'] is not None else 1.0
        a = r.answers(script, str(k))
        pts.append(
            (
                product,
                100 * a.top1,
                r.total(script, 'layers-%d' % k)['speedup'],
                a.output_error(ref),
            )
        )
    best, pts = pts[0], pts[1:]
    rho = lib.spearman([p[0] for p in pts], [p[1] for p in pts])
    lo, hi = lib.correlation_interval(rho, len(pts))
    rho_out = lib.spearman([p[0] for p in pts], [-p[3] for p in pts])
    plot = Plot('Twenty allocations at 4x, %s' % r.net, 'product of kept energies', 'top-1, %')
    plot.add('random', [p[:2] for p in pts], 'points')
    plot.add('rule energy', [best[:2]], 'points pt 5 ps 1.1 lc rgb "#c00000"')
    draw(r, o, s, plot, 'allocations', 'Accuracy against the product of energies')
    s.say(
        '%d random allocations, speedups %.2f to %.2f. Rank correlation of the product with'
        ' top-1: %.2f'
        ' [%.2f, %.2f], with the output error (negated): %.2f. Random allocations reach'
        ' %.2f to %.2f %% top-1,'
        ' the rule energy %.2f %%.'
        % (
            len(pts),
            min(p[2] for p in pts),
            max(p[2] for p in pts),
            rho,
            lo,
            hi,
            rho_out,
            min(p[1] for p in pts),
            max(p[1] for p in pts),
            best[1],
        )
    )
    s.verdict('predicts accuracy', HOLDS if rho >= 0.7 and lo > 0 else PART if lo > 0 else FAILS)
    return s
