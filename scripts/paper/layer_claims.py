"""Claims on one layer by itself: spectra, the nonlinear solution, energy and accuracy. A
function gets the results of one network and gives back a Section."""
import paperlib as lib
from paperlib import Plot, paired
from section import (
    FAILS,
    HOLDS,
    OPEN,
    PART,
    SPEEDUPS,
    Section,
    above_zero,
    convolutions,
    copy,
    draw,
    points,
    rank_for,
    read_csv,
    single_answers,
    single_row,
    whether,
    zeros,
)


def b1(r, o):
    s, rows, resp, filt = Section(), [], [], []
    for i, l in enumerate(convolutions(r), 1):
        t = read_csv(r.text('spectra', 'info-%d.csv' % i))
        a = [
            rank_for(t, c, l['full_rank'], e)
            for c in ('energy', 'energy_weights')
            for e in (0.9, 0.99)
        ]
        resp.append(a[0])
        filt.append(a[2])
        rows.append([l['layer'], l['shape']] + ['%.0f %%' % (100 * v) for v in a])
    s.table(['layer', 'filters', 'responses, 90 %', '99 %', 'filters, 90 %', '99 %'], rows)
    s.say('Ranks, as a share of all filters, that keep 90 % and 99 % of the energy.')
    copy(r, o, s, 'spectra', 'energy-responses', 'Energy of the responses against rank')
    copy(r, o, s, 'spectra', 'energy-filters', 'Energy of the filters against rank')
    h = len(resp) // 2
    s.verdict('responses below filters', whether(all(a < b for a, b in zip(resp, filt))))
    s.verdict('early below late', whether(sum(resp[:h]) / h < sum(resp[-h:]) / h))
    return s


def settings(r, method, number):
    """Speedups at which a layer alone was solved, each rank once."""
    seen, out = set(), []
    for x in SPEEDUPS:
        e = single_row(r, method, number, x)
        if e['error_heldout'] is not None and e['rank'] not in seen:
            seen.add(e['rank'])
            out.append((x, e))
    return out


def b2(r, o):
    s, rows, never, small, large = Section(), [], True, [], []
    for i, l in enumerate(convolutions(r), 1):
        row = {}
        for x, e in settings(r, 'relu', i):
            never &= e['error_heldout'] <= e['error_linear'] * (1 + 1e-6)
            d = paired(single_answers(r, 'relu', i, x), single_answers(r, 'pca', i, x))
            (small if x < 3 else large).append(d)
            mark = '' if d[1] <= 0 <= d[2] else ' *'
            row[x] = '%.4f / %.4f, %+.2f%s' % (
                e['error_linear'],
                e['error_heldout'],
                100 * d[0],
                mark,
            )
        rows.append([l['layer']] + [row.get(x, '-') for x in SPEEDUPS])
    s.say(
        'Each layer alone: held-out error linear / nonlinear, and top-1 of the nonlinear'
        ' minus the linear'
        ' solution in points, with a star where its paired interval excludes zero. A rank'
        ' that was met at a'
        ' lower speedup already is left out.'
    )
    s.table(['layer'] + ['%dx' % x for x in SPEEDUPS], rows)
    s.table(
        ['', 'nonlinear better', 'tied', 'linear better'],
        [
            [n]
            + [
                sum(d[1] > 0 for d in v),
                sum(d[1] <= 0 <= d[2] for d in v),
                sum(d[2] < 0 for d in v),
            ]
            for n, v in (('layers at 2x', small), ('layers at 3x to 5x', large))
        ],
    )
    s.verdict('error', whether(never))
    s.verdict('accuracy at 2x not below', whether(all(d[2] >= 0 for d in small)))
    s.verdict('accuracy above from 3x', above_zero(large))
    return s


def gains(r):
    out = []
    for i, l in enumerate(convolutions(r), 1):
        g = [(x, 1 - e['error_heldout'] / e['error_linear']) for x, e in settings(r, 'relu', i)]
        out.append((i, l['layer'], g))
    return out


def b3(r, o):
    s, gs = Section(), gains(r)
    mean = {x: 0.0 for x in SPEEDUPS}
    plot = Plot(
        'Gain of the nonlinear solution, %s' % r.net,
        'speedup of the layer alone',
        'error saved, % of the linear error',
        'set xtics 1',
        'set xrange [1.9:5.1]',
    )
    z, g, rows = [], [], []
    for i, name, curve in gs:
        plot.add(name, [(x, 100 * v) for x, v in curve])
        share, average = zeros(r, i), sum(v for _, v in curve) / len(curve)
        rows.append(
            [name, '-' if share is None else '%.1f' % (100 * share)]
            + ['%.1f' % (100 * dict(curve)[x]) if x in dict(curve) else '-' for x in SPEEDUPS]
        )
        if share is not None:
            z.append(share)
            g.append(average)
    for x in SPEEDUPS:
        v = [dict(c)[x] for _, _, c in gs if x in dict(c)]
        mean[x] = sum(v) / len(v)
    rows.append(['mean', ''] + ['%.1f' % (100 * mean[x]) for x in SPEEDUPS])
    s.say(
        'Share of the linear held-out error that the nonlinear solution saves, in %, each'
        ' layer alone.'
    )
    s.table(['layer', 'zeros %'] + ['%dx' % x for x in SPEEDUPS], rows)
    draw(r, o, s, plot, 'gain', 'Gain against speedup, one curve per layer')
    rho = lib.spearman(z, g)
    lo, hi = lib.correlation_interval(rho, len(z))
    s.say(
        'Rank correlation of the mean gain with the share of zeros over %d layers: %.2f'
        ' [%.2f, %.2f].'
        % (len(z), rho, lo, hi)
    )
    s.verdict('speedup', whether(all(mean[a] < mean[b] for a, b in zip(SPEEDUPS, SPEEDUPS[1:]))))
    s.verdict('zeros', HOLDS if lo > 0 else OPEN if hi > 0 and rho > 0 else FAILS)
    return s


def b4(r, o):
    s, ref, pts, per, inside = Section(), r.answers('single', 'original'), [], [], []
    plot = Plot(
        'One layer alone, linear, %s' % r.net,
        'energy lost, %',
        'top-1 lost, points',
        'set xrange [0:*]',
    )
    for i, l in enumerate(convolutions(r), 1):
        mine = [
            (100 * (1 - e['energy']), -100 * paired(single_answers(r, 'pca', i, x), ref)[0])
            for x, e in settings(r, 'pca', i)
        ]
        plot.add(l['layer'], mine, 'points')
        inside.append(lib.pearson([p[0] for p in mine], [p[1] for p in mine]))
        per.append(
            [l['layer']]
            + ['%.1f / %.2f' % p for p in mine]
            + ['-'] * (4 - len(mine))
            + ['%.2f' % inside[-1]]
        )
        pts += mine
    k = sum(x * y for x, y in pts) / sum(x * x for x, _ in pts)
    rho = lib.pearson([p[0] for p in pts], [p[1] for p in pts])
    lo, hi = lib.correlation_interval(rho, len(pts))
    plot.add(
        '%.2f points per %%' % k,
        [(0, 0), (max(p[0] for p in pts), k * max(p[0] for p in pts))],
        'lines lw 1.5 lc rgb "#808080"',
    )
    s.say('Energy lost in % / top-1 lost in points, each layer alone, linear solution.')
    s.table(['layer'] + ['%dx' % x for x in SPEEDUPS] + ['correlation'], per)
    draw(r, o, s, plot, 'energy-accuracy', 'Accuracy lost against energy lost')
    s.say(
        'Correlation over all %d points: %.2f [%.2f, %.2f]; straight line through zero:'
        ' %.2f points for each'
        ' %% lost.' % (len(pts), rho, lo, hi, k)
    )
    s.verdict('within each layer', whether(all(v >= 0.9 for v in inside)))
    s.verdict(
        'one line for all layers',
        HOLDS if rho >= 0.9 else PART if lo > 0 and rho >= 0.7 else FAILS,
    )
    return s


def b5(r, o):
    s, ref, rows, at = Section(), r.answers('single', 'original'), [], None
    for x in ('1.8', 2, 3, 4, 5):
        e = single_row(r, 'relu', 1, x)
        d = paired(single_answers(r, 'relu', 1, x), ref)
        at = at or d
        rows.append(
            [
                '%sx' % x,
                '%.2f' % e['speedup'],
                e['rank'],
                e['full_rank'],
                '-' if e['error_heldout'] is None else '%.4f' % e['error_heldout'],
                points(d),
            ]
        )
    s.say('The first layer alone, nonlinear.')
    s.table(['asked', 'speedup', 'rank', 'of', 'held-out error', 'top-1 difference'], rows)
    s.verdict('at 1.8x', HOLDS if at[1] > -0.005 else FAILS if at[2] < -0.005 else OPEN)
    return s
