"""The claims, one function each: what the paper says, what came out, and a verdict by a stated
criterion. A function gets the results of one network and gives back a Section."""
import os
import shutil

import paperlib as lib
from paperlib import Plot, paired

SPEEDUPS = (2, 3, 4, 5)
METHODS = (('relu', 'nonlinear, asymmetric'), ('3d', '3d, asymmetric'), ('spatial', 'spatial (Jaderberg)'),
           ('spatial-refit', 'spatial, refitted'), ('svd', 'SVD of the filters'), ('pca-sym', 'linear, symmetric'))
HOLDS, PART, OPEN, FAILS = 'holds', 'holds in part', 'not decided', 'does not hold'


class Section:
    def __init__(self):
        self.verdicts, self.text = [], []

    def say(self, line):
        self.text += [line, '']

    def table(self, head, rows):
        self.text.append('| ' + ' | '.join(head) + ' |')
        self.text.append('|' + '---|' * len(head))
        self.text += ['| ' + ' | '.join(str(c) for c in r) + ' |' for r in rows] + ['']

    def figure(self, name, what):
        self.say('![%s](%s)' % (what, name))

    def verdict(self, part, word):
        self.verdicts.append((part, word))


class Claim:
    def __init__(self, name, title, paper, criterion, scripts, make, only=None):
        self.name, self.title, self.paper, self.criterion = name, title, paper, criterion
        self.scripts, self.make, self.only = scripts, make, only


def points(d):
    """Difference of top-1 with its interval, in points."""
    return '%+.2f [%+.2f, %+.2f]' % tuple(100 * v for v in d)


def percent(x):
    return '%.2f' % (100 * x)


def whether(yes):
    return HOLDS if yes else FAILS


def above_zero(differences):
    """Holds if every interval lies above zero; in part if some do and none lies below; not
    decided if all include zero; does not hold otherwise."""
    up = sum(d[1] > 0 for d in differences)
    if any(d[2] < 0 for d in differences):
        return FAILS
    return HOLDS if up == len(differences) else PART if up else OPEN


ABOVE = ('holds: every interval lies above zero; holds in part: some do and none lies below; not decided:'
         ' all include zero; does not hold: one lies below zero')


def own(r):
    """Solved rows of the table of errors."""
    return lambda script, name: [x for x in r.layers(script, name) if x['error_heldout'] is not None]


def single_script(r, number):
    return 'single' if number <= 7 else 'single-' + r.net


def single_row(r, method, number, x):
    rows = r.layers(single_script(r, number), '%s-%d-%s' % (method, number, x))
    return rows[number - 1]


def single_answers(r, method, number, x):
    return r.answers(single_script(r, number), '%s-%d-%s' % (method, number, x))


def convolutions(r):
    return r.layers('spectra', 'layers')


def rank_for(table, column, full, share):
    """The rank that keeps this share of the energy, as a share of all: linear between the
    ranks of the table."""
    r0, e0 = 0.0, 0.0
    for row in table:
        r1, e1 = float(row['rank']), float(row[column])
        if e1 >= share:
            return (r0 + (r1 - r0) * (share - e0) / (e1 - e0 or 1)) / full
        r0, e0 = r1, e1
    return 1.0


def read_csv(text):
    lines = [l.split(',') for l in text.splitlines() if l]
    return [dict(zip(lines[0], l)) for l in lines[1:]]


def zeros(r, number):
    for line in r.text('spectra', 'info-%d.txt' % number).splitlines():
        if line.startswith('zeros after a ReLU'):
            try:
                return float(line.split()[-1]) / 100
            except ValueError:
                return None
    return None


def svg(r, o, name):
    return os.path.join(o.out, '%s-%s.svg' % (name, r.net))


def copy(r, o, s, script, name, what):
    shutil.copyfile(r.path(script, name + '.svg'), svg(r, o, name))
    s.figure(os.path.basename(svg(r, o, name)), what)


def draw(r, o, s, plot, name, what):
    plot.write(svg(r, o, name))
    s.figure(os.path.basename(svg(r, o, name)), what)


def b1(r, o):
    s, rows, resp, filt = Section(), [], [], []
    for i, l in enumerate(convolutions(r), 1):
        t = read_csv(r.text('spectra', 'info-%d.csv' % i))
        a = [rank_for(t, c, l['full_rank'], e) for c in ('energy', 'energy_weights') for e in (.9, .99)]
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


def b2(r, o):
    s, rows, never, tally = Section(), [], True, {x: [0, 0, 0] for x in SPEEDUPS}
    sure = []
    for i, l in enumerate(convolutions(r), 1):
        row = [l['layer']]
        for x in SPEEDUPS:
            e = single_row(r, 'relu', i, x)
            if e['error_heldout'] is None:
                row.append('-')
                continue
            never &= e['error_heldout'] <= e['error_linear'] * (1 + 1e-6)
            d = paired(single_answers(r, 'relu', i, x), single_answers(r, 'pca', i, x))
            tally[x][0 if d[1] > 0 else 2 if d[2] < 0 else 1] += 1
            sure.append(d)
            row.append('%.4f / %.4f, %+.2f' % (e['error_linear'], e['error_heldout'], 100 * d[0]))
        rows.append(row)
    s.say('Each layer alone: held-out error linear / nonlinear, and top-1 of the nonlinear minus the linear'
          ' solution in points.')
    s.table(['layer'] + ['%dx' % x for x in SPEEDUPS], rows)
    s.table(['speedup', 'nonlinear better', 'tied', 'linear better'], [['%dx' % x] + tally[x] for x in SPEEDUPS])
    s.say('Counts of layers by the paired 95 % interval of top-1: above zero, including zero, below zero.')
    s.verdict('error', whether(never))
    s.verdict('accuracy', above_zero(sure))
    return s


def gains(r):
    out = []
    for i, l in enumerate(convolutions(r), 1):
        g = []
        for x in SPEEDUPS:
            e = single_row(r, 'relu', i, x)
            if e['error_heldout'] is not None:
                g.append((x, 1 - e['error_heldout'] / e['error_linear']))
        out.append((i, l['layer'], g))
    return out


def b3(r, o):
    s, gs = Section(), gains(r)
    mean = {x: 0.0 for x in SPEEDUPS}
    plot = Plot('Gain of the nonlinear solution, %s' % r.net, 'speedup of the layer alone',
                'error saved, % of the linear error', 'set xtics 1', 'set xrange [1.9:5.1]')
    z, g, rows = [], [], []
    for i, name, curve in gs:
        plot.add(name, [(x, 100 * v) for x, v in curve])
        share, average = zeros(r, i), sum(v for _, v in curve) / len(curve)
        rows.append([name, '-' if share is None else '%.1f' % (100 * share)] +
                    ['%.1f' % (100 * dict(curve)[x]) if x in dict(curve) else '-' for x in SPEEDUPS])
        if share is not None:
            z.append(share)
            g.append(average)
    for x in SPEEDUPS:
        v = [dict(c)[x] for _, _, c in gs if x in dict(c)]
        mean[x] = sum(v) / len(v)
    rows.append(['mean', ''] + ['%.1f' % (100 * mean[x]) for x in SPEEDUPS])
    s.say('Share of the linear held-out error that the nonlinear solution saves, in %, each layer alone.')
    s.table(['layer', 'zeros %'] + ['%dx' % x for x in SPEEDUPS], rows)
    draw(r, o, s, plot, 'gain', 'Gain against speedup, one curve per layer')
    rho = lib.spearman(z, g)
    lo, hi = lib.correlation_interval(rho, len(z))
    s.say('Rank correlation of the mean gain with the share of zeros over %d layers: %.2f [%.2f, %.2f].'
          % (len(z), rho, lo, hi))
    s.verdict('speedup', whether(all(mean[a] < mean[b] for a, b in zip(SPEEDUPS, SPEEDUPS[1:]))))
    s.verdict('zeros', HOLDS if lo > 0 else OPEN if hi > 0 and rho > 0 else FAILS)
    return s


def b4(r, o):
    s, ref, pts, per = Section(), r.answers('single', 'original'), [], []
    plot = Plot('One layer alone, linear, %s' % r.net, 'energy lost, %', 'top-1 lost, points',
                'set xrange [0:*]')
    for i, l in enumerate(convolutions(r), 1):
        mine = []
        for x in SPEEDUPS:
            e = single_row(r, 'pca', i, x)
            if e['energy'] is not None and e['error_heldout'] is not None:
                mine.append((100 * (1 - e['energy']), -100 * paired(single_answers(r, 'pca', i, x), ref)[0]))
        plot.add(l['layer'], mine, 'points pt %d ps 0.9' % (4 + i))
        per.append([l['layer']] + ['%.1f / %.2f' % p for p in mine])
        pts += mine
    k = sum(x * y for x, y in pts) / sum(x * x for x, _ in pts)
    rho = lib.pearson([p[0] for p in pts], [p[1] for p in pts])
    lo, hi = lib.correlation_interval(rho, len(pts))
    plot.add('%.2f points per %%' % k, [(0, 0), (max(p[0] for p in pts), k * max(p[0] for p in pts))],
             'lines lw 1.5 lc rgb "black"')
    s.say('Energy lost in % / top-1 lost in points, each layer alone, linear solution.')
    s.table(['layer'] + ['%dx' % x for x in SPEEDUPS], [p + ['-'] * (5 - len(p)) for p in per])
    draw(r, o, s, plot, 'energy-accuracy', 'Accuracy lost against energy lost')
    s.say('Correlation over all %d points: %.2f [%.2f, %.2f]; straight line through zero: %.2f points for each'
          ' %% lost.' % (len(pts), rho, lo, hi, k))
    s.verdict('linear', HOLDS if rho >= .9 else PART if lo > 0 and rho >= .7 else FAILS)
    return s


def b5(r, o):
    s, ref, rows, at = Section(), r.answers('single', 'original'), [], None
    for x in ('1.8', 2, 3, 4, 5):
        e = single_row(r, 'relu', 1, x)
        d = paired(single_answers(r, 'relu', 1, x), ref)
        at = at or d
        rows.append(['%sx' % x, '%.2f' % e['speedup'], e['rank'], e['full_rank'],
                     '-' if e['error_heldout'] is None else '%.4f' % e['error_heldout'], points(d)])
    s.say('The first layer alone, nonlinear.')
    s.table(['asked', 'speedup', 'rank', 'of', 'held-out error', 'top-1 difference'], rows)
    s.verdict('at 1.8x', HOLDS if at[1] > -.005 else FAILS if at[2] < -.005 else OPEN)
    return s


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
            rows.append([name, '%dx' % x, points(paired(a, ref)), points(paired(b, ref)), points(diff[key, x])])
    s.table(['', 'speedup', 'asymmetric', 'symmetric', 'asymmetric - symmetric'], rows)
    plot = Plot('Symmetric and asymmetric, whole network, %s' % r.net, 'speedup', 'top-1 lost, points',
                'set xtics 1', 'set xrange [1.9:5.1]')
    for m in ('asym', 'sym', 'symhat'):
        plot.add(m, [(x,) + tuple(-100 * v for v in paired(mode_answers(r, 'whole', m, x), ref))
                     for x in SPEEDUPS], 'yerrorlines pt 7 ps 0.6 lw 1.5')
    draw(r, o, s, plot, 'modes', 'Accuracy lost by mode')
    s.verdict('asymmetric better', above_zero([diff['whole', x] for x in (3, 4, 5)]))
    s.verdict('more with speedup', whether(all(diff['whole', a][0] < diff['whole', b][0]
                                               for a, b in zip(SPEEDUPS, SPEEDUPS[1:]))))
    s.verdict('more with depth', whether(all(diff['two', x][0] <= diff['three', x][0] <= diff['whole', x][0]
                                             for x in (4, 5))))
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


RULES = (('uniform', SPEEDUPS), ('paper', (4,)), ('knapsack-energy', (3, 4, 5)), ('knapsack-error', (3, 4, 5)),
         ('sensitivity', (4,)))


def b8(r, o):
    s, ref, rows, verdict = Section(), r.answers('methods', 'original'), [], []
    for x in SPEEDUPS:
        uniform = r.answers('selection', 'uniform-%d' % x)
        energy = r.answers('methods', 'relu-%d' % x)
        verdict.append(paired(energy, uniform))
        t = r.total('methods', 'layers-relu-%d' % x)
        rows.append(['%dx' % x, 'energy', '%.2f' % t['speedup'], points(paired(energy, ref)),
                     points(verdict[-1]), ''])
        for rule, at in RULES:
            if x not in at:
                continue
            script = 'sensitivity' if rule == 'sensitivity' else 'selection'
            try:
                a = r.answers(script, '%s-%d' % (rule, x))
            except OSError:
                continue
            t = r.total(script, 'layers-%s-%d' % (rule, x))
            rows.append(['', rule.replace('-', ', '), '%.2f' % t['speedup'], points(paired(a, ref)),
                         '' if rule == 'uniform' else points(paired(a, uniform)), points(paired(a, energy))])
    s.table(['asked', 'rule', 'speedup', 'top-1 difference', 'minus uniform', 'minus energy'], rows)
    s.verdict('energy - uniform', above_zero(verdict))
    return s


def b9(r, o):
    s, rows, ratio = Section(), [], []
    a, b = r.layers('methods', 'layers-relu-4'), r.layers('selection', 'layers-uniform-4')
    for p, q in zip(a, b):
        ratio.append(p['rank'] / q['rank'])
        rows.append([p['layer'], '%.2f' % (p['macs_original'] / 1e6), p['full_rank'], p['rank'], q['rank'],
                     '%.2f' % ratio[-1]])
    s.table(['layer', 'MMAC', 'filters', 'rank, energy', 'rank, uniform', 'ratio'], rows)
    h = len(ratio) // 2
    early, late = sum(ratio[:h]) / h, sum(ratio[-h:]) / h
    s.say('Mean ratio of the first %d layers %.2f, of the last %d %.2f.' % (h, early, h, late))
    s.verdict('more rank late', HOLDS if late > 1 and late > early else PART if late > early else FAILS)
    return s


def method_table(r, s, o):
    ref, rows = r.answers('methods', 'original'), []
    plot = Plot('Whole network, %s' % r.net, 'speedup asked of all convolutions', 'top-1 lost, points',
                'set xtics 1', 'set xrange [1.9:5.1]', 'set logscale y', 'set yrange [0.1:*]')
    curves = {m: [] for m, _ in METHODS}
    for x in SPEEDUPS:
        for m, name in METHODS:
            t, a = r.total('methods', 'layers-%s-%d' % (m, x)), r.answers('methods', '%s-%d' % (m, x))
            d = paired(a, ref)
            curves[m].append((x, max(.1, -100 * d[0])))
            rows.append(['%dx' % x if m == 'relu' else '', name, '%.2f' % (t['macs'] / 1e6), '%.2f' % t['speedup'],
                         percent(a.top1), points(d), '%.4f' % a.output_error(ref)])
    s.table(['asked', 'method', 'MMAC', 'speedup', 'top-1 %', 'difference', 'output error'], rows)
    for m, name in METHODS:
        plot.add(name, curves[m])
    draw(r, o, s, plot, 'methods', 'Accuracy lost by method')


def b11(r, o):
    s = Section()
    method_table(r, s, o)
    d = {x: paired(r.answers('methods', 'relu-%d' % x), r.answers('methods', 'spatial-%d' % x)) for x in SPEEDUPS}
    s.table(['speedup', 'asymmetric - spatial'], [['%dx' % x, points(d[x])] for x in SPEEDUPS])
    s.verdict('ties at 3x', whether(d[3][2] >= 0))
    s.verdict('wins at 4x and 5x', above_zero([d[4], d[5]]))
    return s


def b12(r, o):
    s, rows, sums = Section(), [], {}
    rivals = ('relu', 'spatial', 'spatial-refit')
    for x in SPEEDUPS:
        d = [paired(r.answers('methods', '3d-%d' % x), r.answers('methods', '%s-%d' % (m, x))) for m in rivals]
        rows.append(['%dx' % x] + [points(v) for v in d])
        if x > 2:
            for m, v in zip(rivals, d):
                sums.setdefault(m, []).append(v)
    s.table(['speedup', '3d - asymmetric', '3d - spatial', '3d - spatial, refitted'], rows)
    s.verdict('against asymmetric', above_zero(sums['relu']))
    s.verdict('against spatial', above_zero(sums['spatial']))
    s.verdict('against spatial, refitted', above_zero(sums['spatial-refit']))
    return s


def direct(r, o):
    s, ref, rows, diffs = Section(), r.answers('methods', 'original'), [], []
    best = max(('3d', 'relu'), key=lambda m: r.answers('methods', m + '-4').top1)
    a = r.answers('methods', best + '-4')
    reached = r.total('methods', 'layers-%s-4' % best)['speedup']
    s.say('The better of 3d and nonlinear asymmetric is **%s** at %.2fx: %s points.'
          % (best, reached, points(paired(a, ref))))
    for m, name in METHODS:
        if m == best:
            continue
        b, t = r.answers('methods', m + '-4'), r.total('methods', 'layers-%s-4' % m)
        d = paired(a, b)
        rows.append([name, '%.2f' % t['speedup'], points(paired(b, ref)), points(d),
                     'no' if d[1] <= 0 <= d[2] else 'yes'])
        if m in ('spatial', 'svd', 'pca-sym'):
            diffs.append(d)
            reached = min(reached, t['speedup'])
    s.table(['against', 'speedup', 'top-1 difference', '%s minus this' % best, 'excludes zero'], rows)
    s.verdict('better than spatial, SVD and linear symmetric', above_zero(diffs) if reached >= 3.95 else FAILS)
    return s


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
            rows.append([n, seed if n < 3000 else '-', '%.5f' % e, points(paired(a, ref)), points(d) if n < 3000 else ''])
            if n == 1000:
                flat += [d[1] <= 0, e < 1.05 * e0]
    s.table(['images', 'draw', 'output error', 'top-1 difference', '3,000 minus this'], rows)
    plot = Plot('Calibration images, 4x, %s' % r.net, 'calibration images', 'output error on the test images',
                'set logscale x', 'set xtics (100, 300, 1000, 3000)', 'set yrange [0:*]')
    plot.add('', curve, 'points pt 7 ps 0.8')
    draw(r, o, s, plot, 'calibration', 'Output error against the number of calibration images')
    s.verdict('3,000 are enough', whether(all(flat)))
    return s


SCHEDULES = (('two-stages', '0.01 then 1'), ('only-1', '1 only'), ('only-0.01', '0.01 only'), ('only-100', '100 only'))


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
        rows.append([name, '%.5f' % err[f], '%.5f' % (sum(lin) / len(lin)), '%.5f' % a.output_error(ref),
                     points(paired(a, ref)), '' if f == 'two-stages' else points(d)])
    s.table(['lambda', 'held-out error', 'linear', 'output error', 'top-1 difference', 'two stages minus this'], rows)
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
        pts.append((product, 100 * a.top1, r.total(script, 'layers-%d' % k)['speedup'], a.output_error(ref)))
    best, pts = pts[0], pts[1:]
    rho = lib.spearman([p[0] for p in pts], [p[1] for p in pts])
    lo, hi = lib.correlation_interval(rho, len(pts))
    rho_out = lib.spearman([p[0] for p in pts], [-p[3] for p in pts])
    plot = Plot('Twenty allocations at 4x, %s' % r.net, 'product of kept energies', 'top-1, %')
    plot.add('random', [p[:2] for p in pts], 'points pt 7 ps 0.8')
    plot.add('rule energy', [best[:2]], 'points pt 5 ps 1.1 lc rgb "#c00000"')
    draw(r, o, s, plot, 'allocations', 'Accuracy against the product of energies')
    s.say('%d random allocations, speedups %.2f to %.2f. Rank correlation of the product with top-1: %.2f'
          ' [%.2f, %.2f], with the output error (negated): %.2f. Random allocations reach %.2f to %.2f %% top-1,'
          ' the rule energy %.2f %%.' % (len(pts), min(p[2] for p in pts), max(p[2] for p in pts), rho, lo, hi,
                                        rho_out, min(p[1] for p in pts), max(p[1] for p in pts), best[1]))
    s.verdict('predicts accuracy', HOLDS if rho >= .7 and lo > 0 else PART if lo > 0 else FAILS)
    return s


def number(x):
    return '-' if x is None else '%.4f' % x


def propagation(r, o):
    s = Section()
    sym = {l['layer']: l['error_heldout'] for l in r.layers('modes', 'sym-4')}
    rows = [[l['layer'], l['rank'], number(l['error_own']), number(l['error_inherited']), number(l['error_refit']),
             number(sym.get(l['layer']))] for l in own(r)('methods', 'relu-4')]
    s.say('Nonlinear at 4x, held-out response errors: the layer\'s own error with the original input, what it'
          ' inherits from the layers before, what is left of both after the asymmetric fit, and for comparison'
          ' the error in a network solved symmetrically at the same ranks.')
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
        rows.append(['%dx' % x, '%.4f' % ea, '%.4f' % eb, points(d), points(paired(b, ref)), points(top[-1]),
                     points(paired(r.answers('modes', 'sym-%d' % x), ref))])
    s.table(['speedup', 'held-out error, sum', 'the same, alone', 'top-1 difference', 'alone',
             'with shortcut - alone', 'symmetric'], rows)
    s.verdict('at most 1 point lost at 3x', whether(at3[0] >= -.01))
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
        spatial = d * c * kh * kw / (stride * kh * c * l['rank_spatial'] + kw * l['rank_spatial'] * d)
        rows.append([l['layer'], '%.2f' % l['speedup'], '%d of %d' % (l['rank'], l['full_rank']), l['rank_spatial'],
                     '%.2f' % spatial, '%.2f' % (l['speedup'] / spatial)])
    s.say('Pairs chosen at 4x: the speedup of the spatial part alone, and what the channel part adds. With the'
          ' paper\'s square root both would be equal. A rank that does not pay leaves the channel part out.')
    s.table(['layer', 'speedup', 'd\'', 'd\'\'', 'spatial', 'channels'], rows)
    rows = []
    for m in ('relu', '3d'):
        a, b = r.answers('methods', m + '-4'), r.answers('rounding', m + '-round')
        rows.append([m, '%.2f' % r.total('methods', 'layers-%s-4' % m)['speedup'], points(paired(a, ref)),
                     '%.2f' % r.total('rounding', 'layers-%s-round' % m)['speedup'], points(paired(b, ref)),
                     points(paired(b, a))])
    s.say('Ranks as multiples of 8, which run faster on real hardware:')
    s.table(['method', 'speedup', 'top-1 difference', 'rounded', 'top-1 difference', 'rounded - not'], rows)
    return s


CLAIMS = [
    Claim('B1', 'Responses and filters', 'Responses have lower rank than filters, early layers more so.',
          'The share of ranks that keeps 90 % of the energy is lower for responses than for filters in every layer;'
          ' its mean over the first half of the layers is below that of the last half.', ['spectra'], b1),
    Claim('B2', 'Linear and nonlinear', 'At equal rank the nonlinear solution\'s response error is never above the'
          ' linear one; accuracy may tie below 3x.',
          'Error: never above in any layer at any speedup. Accuracy, nonlinear minus linear over all layers and'
          ' speedups: ' + ABOVE + '.', ['spectra', 'single'], b2),
    Claim('B3', 'Where the nonlinear solution gains', 'The gain grows with the speedup and with the share of zeros'
          ' after the ReLU.', 'The mean gain over the layers rises from each speedup to the next. The rank correlation'
          ' of gain and zeros has a 95 % interval above zero (not decided: positive, interval includes zero).',
          ['spectra', 'single'], b3),
    Claim('B4', 'Energy and accuracy of one layer', 'The loss of accuracy is about linear in the energy lost.',
          'Correlation over all layers and speedups at least 0.9; in part: at least 0.7.', ['spectra', 'single'], b4),
    Claim('B5', 'The first layer', 'It stands about 1.8x.', 'Alone at 1.8x, the interval of the loss stays within'
          ' half a point; not decided: it crosses it.', ['single'], b5),
    Claim('B6', 'Symmetric and asymmetric', 'Asymmetric beats symmetric, more so with depth and speedup.',
          'Whole network, asymmetric minus symmetric at 3x, 4x, 5x: ' + ABOVE + '. The difference rises with every'
          ' speedup; at 4x and 5x it rises from two layers to three to the whole network.',
          ['methods', 'few', 'modes'], b6),
    Claim('B7', 'Approximated input on both sides', '(xhat, xhat) is worse than (x, x).',
          'Whole network, (x, x) minus (xhat, xhat) at 3x, 4x, 5x: ' + ABOVE + '.', ['few', 'modes'], b7),
    Claim('B8', 'Rank selection', 'Selection beats the same speedup for every layer at equal MACs.',
          'Energy minus uniform at 2x, 3x, 4x, 5x: ' + ABOVE + '.', ['methods', 'selection', 'sensitivity'], b8),
    Claim('B9', 'Where selection spends', 'It keeps more rank in cheap late layers.',
          'At 4x the mean ratio of chosen to uniform rank over the last half of the layers is above 1 and above that'
          ' of the first half; in part: only the latter.', ['methods', 'selection'], b9),
    Claim('B11', 'Whole model against spatial decomposition', 'Asymmetric ties Jaderberg\'s method at 3x and wins at'
          ' 4x and 5x.', 'At 3x the interval of asymmetric minus spatial is not below zero. At 4x and 5x: ' + ABOVE +
          '.', ['methods'], b11),
    Claim('B12', 'Three-way decomposition', '3d wins at 3x to 5x where layers are wide; narrow ones (below 64) may'
          ' reverse it.', '3d minus the other at 3x, 4x, 5x: ' + ABOVE + '.', ['methods'], b12),
    Claim('B16', 'Calibration images', '3,000 images are enough.', 'With 1,000 images, in both draws, accuracy is not'
          ' below that of 3,000 (interval) and the output error is less than 5 % higher: more would not help.',
          ['methods', 'calibration'], b16),
    Claim('B17', 'Schedule of the penalty', '0.01 first, then 1; a large one stalls.', 'The mean held-out error at 4x'
          ' is the lowest of the schedules; it is below that of 100 only. Accuracy, minus each of the others: ' +
          ABOVE + '.', ['methods', 'schedule'], b17),
    Claim('B19', 'Product of energies', 'It predicts accuracy across allocations of equal cost.', 'Rank correlation'
          ' with top-1 over random allocations at least 0.7 with a 95 % interval above zero; in part: only the'
          ' latter.', ['methods', 'allocations'], b19),
    Claim('direct', 'Direct comparison at 4x', 'Not a claim of the paper: the networks compared with each other on the'
          ' same images.', 'Row total at least 3.95 for each. The better of 3d and nonlinear asymmetric minus each of'
          ' spatial, SVD and linear symmetric: ' + ABOVE + '.', ['methods'], direct),
    Claim('propagation', 'Error propagation', 'Not a claim of the paper: the asymmetric fit takes back part of what'
          ' was inherited.', 'The held-out errors summed over the layers are lower than those of the symmetric'
          ' solution.', ['methods', 'modes'], propagation),
    Claim('residual', 'Residual network', 'Not in the paper, which has chains only: a response is compared after the'
          ' addition, with the error of the shortcut in it.', 'At 3x at most 1 point lost; summed held-out error lower'
          ' than with each convolution fitted alone at 2x, 3x and 4x; accuracy, minus alone: ' + ABOVE + '.',
          ['methods', 'modes', 'alone'], residual, 'fashion-resnet'),
    Claim('split', 'The two parts of 3d, and rounding', 'Half of the speedup (its square root) for each part.',
          'None: numbers only.', ['methods', 'rounding'], split),
]


def scripts(net, chosen):
    """Names of the scripts that these claims need on a network, in a fixed order."""
    need = {s for c in chosen if c.only in (None, net) for s in c.scripts}
    order = ['methods', 'spectra', 'single', 'few', 'modes', 'selection', 'calibration', 'schedule', 'rounding',
             'alone', 'allocations', 'sensitivity']
    out = []
    for s in order:
        if s in need:
            out.append(s + '-' + net if s in ('few', 'allocations', 'alone') else s)
        if s == 'single' and s in need and net == 'fashion-resnet':
            out.append('single-' + net)
    return out


def words(s):
    return '; '.join('%s: **%s**' % v for v in s.verdicts) or 'numbers only'


def report(o, runners, chosen, version, hashes, program):
    nets = [r.net for r in runners]
    done = {(c.name, r.net): c.make(r, o) for c in chosen for r in runners if c.only in (None, r.net)}
    t = ['# The paper\'s claims on two small networks', '']
    if o.quick:
        t += ['**A quick run on few images: it tests the program and measures nothing.**', '']
    t += ['What X. Zhang, J. Zou, X. Ming, K. He and J. Sun, "Efficient and accurate approximations of nonlinear'
          ' convolutional networks", CVPR 2015, found on large networks, measured again on the embedded ones by'
          ' `scripts/paper/report`. Verdicts are computed from the numbers by the criterion given with each claim.',
          '', 'Differences are in points of top-1 on the %s test images, with their 95 %% interval (Newcombe\'s'
          ' method 10), always paired on the same images. No image of theirs was seen by a solver; the rule'
          ' sensitivity is the exception named there. Held-out errors are |r(y) - r(y\')|^2 / |r(y)|^2 on'
          ' calibration images that the solver did not see. Speedups are those of all convolutions, every added'
          ' part counted. Each setting was solved once, so intervals cover the choice of test images, not that of'
          ' calibration images.' % format(len(runners[0].labels), ','), '',
          '| claim | | ' + ' | '.join('`@%s`' % n for n in nets) + ' |', '|---|---|' + '---|' * len(nets)]
    for c in chosen:
        t.append('| [%s](#%s) | %s | ' % (c.name, c.name.lower(), c.title) +
                 ' | '.join(words(done[c.name, n]) if (c.name, n) in done else '' for n in nets) + ' |')
    t += ['', '## How it was measured', '', '| | |', '|---|---|', '| date | %s |' % o.date]
    for line in version.splitlines():
        k, v = line.split(None, 1)
        t.append('| %s | %s |' % (k, v))
    t += ['| seed | %d |' % o.seed, '| ranklab, sha256 | `%s` |' % program[:16]]
    t += ['| %s, sha256 | `%s` |' % (f, h[:16]) for f, h in hashes.items()]
    t += ['', 'Seconds per script:', '', '| script | ' + ' | '.join(nets) + ' |', '|---|' + '---|' * len(nets)]
    names = []
    for r in runners:
        names += [n.replace('-' + r.net, '') for n in r.seconds if n != 'single-' + r.net]
    for n in dict.fromkeys(names):
        cells = []
        for r in runners:
            v = [r.seconds[k] for k in (n, n + '-' + r.net) if k in r.seconds]
            cells.append('%.0f' % sum(v) if v else '')
        t.append('| %s | ' % n + ' | '.join(cells) + ' |')
    t += ['| all | ' + ' | '.join('%.0f' % sum(r.seconds.values()) for r in runners) + ' |', '']
    for r in runners:
        if 'methods' in r.seconds:
            e = r.json('methods', 'eval-relu-4')[0]
            d = paired(r.answers('methods', 'relu-4'), r.answers('methods', 'original'))
            if not o.quick and max(abs(e[k] - v) for k, v in zip(('top1_difference', 'difference_low',
                                                                 'difference_high'), d)) > 2e-4:
                raise SystemExit('eval and run disagree on %s: %s, %s' % (r.net, e, d))
    for c in chosen:
        t += ['<a id="%s"></a>' % c.name.lower(), '', '## %s: %s' % (c.name, c.title), '', c.paper, '',
              'Criterion. ' + c.criterion, '']
        for n in nets:
            if (c.name, n) in done:
                t += ['### `@%s`%s' % (n, '' if c.name == 'split' else ''), '', words(done[c.name, n]), '']
                t += done[c.name, n].text
    return '\n'.join(t).rstrip() + '\n'
