"""Claims on several layers or the whole network: modes, selection, methods. A function gets
the results of one network and gives back a Section."""
from paperlib import Plot, paired
from section import (
    FAILS,
    HOLDS,
    PART,
    SPEEDUPS,
    Section,
    above_zero,
    copy,
    draw,
    own,
    percent,
    points,
    whether,
)

METHODS = (
    ('relu', 'nonlinear, asymmetric'),
    ('3d', '3d, asymmetric'),
    ('spatial', 'spatial (Jaderberg)'),
    ('spatial-refit', 'spatial, refitted'),
    ('svd', 'SVD of the filters'),
    ('pca-sym', 'linear, symmetric'),
)


def mode_answers(r, what, mode, x):
    if what != 'whole':
        return r.answers('few-' + r.net, '%s-%s-%d' % (what, mode, x))
    if mode == 'asym':
        return r.answers('methods', 'relu-%d' % x)
    return r.answers('modes', '%s-%d' % (mode, x))


DEPTHS = (('two', 'two layers'), ('three', 'three layers'), ('whole', 'whole network'))


def b6(r, o):
    s, ref, rows, diff = Section(), r.answers('methods', 'original'), [], {}
    for key, name in DEPTHS:
        for x in SPEEDUPS:
            a, b = (mode_answers(r, key, m, x) for m in ('asym', 'sym'))
            diff[key, x] = paired(a, b)
            rows.append(
                [
                    name,
                    '%dx' % x,
                    points(paired(a, ref)),
                    points(paired(b, ref)),
                    points(diff[key, x]),
                ]
            )
    s.table(['', 'speedup', 'asymmetric', 'symmetric', 'asymmetric - symmetric'], rows)
    plot = Plot(
        'Symmetric and asymmetric, whole network, %s' % r.net,
        'speedup',
        'top-1 lost, points',
        'set xtics 1',
        'set xrange [1.9:5.1]',
    )
    for m in ('asym', 'sym', 'symhat'):
        plot.add(
            {'asym': 'asymmetric', 'sym': 'symmetric', 'symhat': 'xhat on both sides'}[m],
            [
                (x,) + tuple(-100 * v for v in paired(mode_answers(r, 'whole', m, x), ref))
                for x in SPEEDUPS
            ],
            'yerrorlines',
        )
    draw(r, o, s, plot, 'modes', 'Accuracy lost by mode')
    s.verdict('asymmetric better', above_zero([diff['whole', x] for x in (3, 4, 5)]))
    s.verdict(
        'more with speedup',
        whether(
            all(diff['whole', a][0] < diff['whole', b][0] for a, b in zip(SPEEDUPS, SPEEDUPS[1:]))
        ),
    )
    s.verdict(
        'more with depth',
        whether(
            all(diff['two', x][0] <= diff['three', x][0] <= diff['whole', x][0] for x in (4, 5))
        ),
    )
    return s


def b7(r, o):
    s, rows, whole = Section(), [], []
    for key, name in DEPTHS:
        for x in SPEEDUPS:
            d = paired(mode_answers(r, key, 'sym', x), mode_answers(r, key, 'symhat', x))
            rows.append([name, '%dx' % x, points(d)])
            if key == 'whole' and x > 2:
                whole.append(d)
    s.table(['', 'speedup', '(x, x) - (xhat, xhat)'], rows)
    s.verdict('whole network', above_zero(whole))
    return s


RULES = (
    ('uniform', SPEEDUPS),
    ('paper', (4,)),
    ('knapsack-energy', (3, 4, 5)),
    ('knapsack-error', (3, 4, 5)),
    ('sensitivity', (4,)),
)


def b8(r, o):
    s, ref, rows, verdict = Section(), r.answers('methods', 'original'), [], []
    for x in SPEEDUPS:
        uniform = r.answers('selection', 'uniform-%d' % x)
        energy = r.answers('methods', 'relu-%d' % x)
        verdict.append(paired(energy, uniform))
        t = r.total('methods', 'layers-relu-%d' % x)
        rows.append(
            [
                '%dx' % x,
                'energy',
                '%.2f' % t['speedup'],
                points(paired(energy, ref)),
                points(verdict[-1]),
                '',
            ]
        )
        for rule, at in RULES:
            if x not in at:
                continue
            script = 'sensitivity' if rule == 'sensitivity' else 'selection'
            try:
                a = r.answers(script, '%s-%d' % (rule, x))
            except OSError:
                continue
            t = r.total(script, 'layers-%s-%d' % (rule, x))
            rows.append(
                [
                    '',
                    rule.replace('-', ', '),
                    '%.2f' % t['speedup'],
                    points(paired(a, ref)),
                    '' if rule == 'uniform' else points(paired(a, uniform)),
                    points(paired(a, energy)),
                ]
            )
    s.table(
        ['asked', 'rule', 'speedup', 'top-1 difference', 'minus uniform', 'minus energy'], rows
    )
    s.verdict('energy - uniform', above_zero(verdict))
    return s


def b9(r, o):
    s, rows, ratio = Section(), [], []
    a, b = r.layers('methods', 'layers-relu-4'), r.layers('selection', 'layers-uniform-4')
    for p, q in zip(a, b):
        ratio.append(p['rank'] / q['rank'])
        rows.append(
            [
                p['layer'],
                '%.2f' % (p['macs_original'] / 1e6),
                p['full_rank'],
                p['rank'],
                q['rank'],
                '%.2f' % ratio[-1],
            ]
        )
    s.table(['layer', 'MMAC', 'filters', 'rank, energy', 'rank, uniform', 'ratio'], rows)
    h = len(ratio) // 2
    early, late = sum(ratio[:h]) / h, sum(ratio[-h:]) / h
    s.say('Mean ratio of the first %d layers %.2f, of the last %d %.2f.' % (h, early, h, late))
    s.verdict(
        'more rank late', HOLDS if late > 1 and late > early else PART if late > early else FAILS
    )
    return s


def method_table(r, s, o):
    ref, rows = r.answers('methods', 'original'), []
    plot = Plot(
        'Whole network, %s' % r.net,
        'speedup asked of all convolutions',
        'top-1 lost, points (0.1 if less)',
        'set xtics 1',
        'set xrange [1.9:5.1]',
        'set logscale y',
        'set yrange [0.1:*]',
    )
    curves = {m: [] for m, _ in METHODS}
    for x in SPEEDUPS:
        for m, name in METHODS:
            t, a = r.total('methods', 'layers-%s-%d' % (m, x)), r.answers(
                'methods', '%s-%d' % (m, x)
            )
            d = paired(a, ref)
            curves[m].append((x, max(0.1, -100 * d[0])))
            rows.append(
                [
                    '%dx' % x if m == 'relu' else '',
                    name,
                    '%.2f' % (t['macs'] / 1e6),
                    '%.2f' % t['speedup'],
                    percent(a.top1),
                    points(d),
                    '%.4f' % a.output_error(ref),
                ]
            )
    s.table(['asked', 'method', 'MMAC', 'speedup', 'top-1 %', 'difference', 'output'
                                                                            ' error'], rows)
    for m, name in METHODS:
        plot.add(name, curves[m])
    draw(r, o, s, plot, 'methods', 'Accuracy lost by method')


def b11(r, o):
    s = Section()
    method_table(r, s, o)
    d = {
        x: paired(r.answers('methods', 'relu-%d' % x), r.answers('methods', 'spatial-%d' % x))
        for x in SPEEDUPS
    }
    s.table(['speedup', 'asymmetric - spatial'], [['%dx' % x, points(d[x])] for x in SPEEDUPS])
    s.verdict('at least ties at 3x', whether(d[3][2] >= 0))
    s.verdict('wins at 4x and 5x', above_zero([d[4], d[5]]))
    return s


def b12(r, o):
    s, rows, sums = Section(), [], {}
    rivals = ('relu', 'spatial', 'spatial-refit')
    for x in SPEEDUPS:
        d = [
            paired(r.answers('methods', '3d-%d' % x), r.answers('methods', '%s-%d' % (m, x)))
            for m in rivals
        ]
        rows.append(['%dx' % x] + [points(v) for v in d])
        if x > 2:
            for m, v in zip(rivals, d):
                sums.setdefault(m, []).append(v)
    s.table(['speedup', '3d - asymmetric', '3d - spatial', '3d - spatial, refitted'], rows)
    s.verdict('against asymmetric', above_zero(sums['relu']))
    s.verdict('against spatial', above_zero(sums['spatial']))
    s.verdict('against spatial, refitted (not in the paper)', above_zero(sums['spatial-refit']))
    return s


def direct(r, o):
    s, ref, rows, diffs = Section(), r.answers('methods', 'original'), [], []
    best = max(('3d', 'relu'), key=lambda m: r.answers('methods', m + '-4').top1)
    a = r.answers('methods', best + '-4')
    reached = r.total('methods', 'layers-%s-4' % best)['speedup']
    s.say(
        'The better of 3d and nonlinear asymmetric is **%s** at %.2fx: %s points.'
        % (best, reached, points(paired(a, ref)))
    )
    for m, name in METHODS:
        if m == best:
            continue
        b, t = r.answers('methods', m + '-4'), r.total('methods', 'layers-%s-4' % m)
        d = paired(a, b)
        rows.append(
            [
                name,
                '%.2f' % t['speedup'],
                points(paired(b, ref)),
                points(d),
                'no' if d[1] <= 0 <= d[2] else 'yes',
            ]
        )
        if m in ('spatial', 'svd', 'pca-sym'):
            diffs.append(d)
            reached = min(reached, t['speedup'])
    s.table(
        ['against', 'speedup', 'top-1 difference', '%s minus this' % best, 'excludes zero'], rows
    )
    s.verdict(
        'better than spatial, SVD and linear symmetric',
        above_zero(diffs) if reached >= 3.95 else FAILS,
    )
    return s


def number(x):
    return '-' if x is None else '%.4f' % x


def propagation(r, o):
    s = Section()
    sym = {l['layer']: l['error_heldout'] for l in r.layers('modes', 'sym-4')}
    rows = [
        [
            l['layer'],
            l['rank'],
            number(l['error_own']),
            number(l['error_inherited']),
            number(l['error_refit']),
            number(sym.get(l['layer'])),
        ]
        for l in own(r)('methods', 'relu-4')
    ]
    s.say(
        'Nonlinear at 4x, held-out response errors: the layer\'s own error with the'
        ' original input, what it'
        ' inherits from the layers before, what is left of both after the asymmetric fit,'
        ' and for comparison'
        ' the error in a network solved symmetrically at the same ranks.'
    )
    s.table(['layer', 'rank', 'own', 'inherited', 'after the fit', 'symmetric'], rows)
    copy(r, o, s, 'methods', 'propagation-4', 'Own, inherited and remaining error of each layer')
    a = sum(l['error_heldout'] for l in own(r)('methods', 'relu-4'))
    b = sum(v for v in sym.values() if v is not None)
    s.say('Summed over the layers: asymmetric %.4f, symmetric %.4f.' % (a, b))
    s.verdict('asymmetric sum lower', whether(a < b))
    return s


def residual(r, o):
    s, ref, rows, lower, at3 = Section(), r.answers('methods', 'original'), [], True, None
    top = []
    for x in (2, 3, 4):
        a, b = r.answers('methods', 'relu-%d' % x), r.answers('alone-' + r.net, 'alone-%d' % x)
        ea = sum(l['error_heldout'] for l in own(r)('methods', 'relu-%d' % x))
        eb = sum(l['error_heldout'] for l in own(r)('alone-' + r.net, 'alone-%d' % x))
        lower &= ea < eb
        d = paired(a, ref)
        at3 = d if x == 3 else at3
        top.append(paired(a, b))
        rows.append(
            [
                '%dx' % x,
                '%.4f' % ea,
                '%.4f' % eb,
                points(d),
                points(paired(b, ref)),
                points(top[-1]),
                points(paired(r.answers('modes', 'sym-%d' % x), ref)),
            ]
        )
    s.table(
        [
            'speedup',
            'held-out error, sum',
            'the same, alone',
            'top-1 difference',
            'alone',
            'with shortcut - alone',
            'symmetric',
        ],
        rows,
    )
    s.verdict('at most 1 point lost at 3x', whether(at3[0] >= -0.01))
    s.verdict('lower error than alone', whether(lower))
    s.verdict('better accuracy than alone', above_zero(top))
    return s


def split(r, o):
    s, ref, rows = Section(), r.answers('methods', 'original'), []
    for l in r.layers('methods', 'layers-3d-4'):
        if l['rank_spatial'] is None or l['speedup'] == 1:
            rows.append([l['layer'], '%.2f' % l['speedup'], '-', '-', 'whole', ''])
            continue
        d, c, kh, kw = (int(v) for v in l['shape'].split('x'))
        stride = int(str(l['stride']).split('x')[-1])
        spatial = (
            d * c * kh * kw / (stride * kh * c * l['rank_spatial'] + kw * l['rank_spatial'] * d)
        )
        rows.append(
            [
                l['layer'],
                '%.2f' % l['speedup'],
                '%d of %d' % (l['rank'], l['full_rank']),
                l['rank_spatial'],
                '%.2f' % spatial,
                '%.2f' % (l['speedup'] / spatial),
            ]
        )
    s.say(
        'Pairs chosen at 4x: the speedup of the spatial part alone, and what the channel'
        ' part adds. With the'
        ' paper\'s square root both would be equal. A rank that does not pay leaves the'
        ' channel part out.'
    )
    s.table(['layer', 'speedup', 'd\'', 'd\'\'', 'spatial', 'channels'], rows)
    rows = []
    for m in ('relu', '3d'):
        a, b = r.answers('methods', m + '-4'), r.answers('rounding', m + '-round')
        rows.append(
            [
                m,
                '%.2f' % r.total('methods', 'layers-%s-4' % m)['speedup'],
                points(paired(a, ref)),
                '%.2f' % r.total('rounding', 'layers-%s-round' % m)['speedup'],
                points(paired(b, ref)),
                points(paired(b, a)),
            ]
        )
    s.say('Ranks as multiples of 8, which run faster on real hardware:')
    s.table(
        ['method', 'speedup', 'top-1 difference', 'rounded', 'top-1 difference', 'rounded -'
                                                                                 ' not'],
        rows,
    )
    return s
