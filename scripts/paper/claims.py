"""The claims: what the paper says, the criterion of the verdict, the scripts it needs; and the
report made of them."""
import layer_claims as one
import network_claims as whole
import setting_claims as settings
import time_claims as times
from paperlib import paired
from section import ABOVE


class Claim:
    def __init__(self, name, title, paper, criterion, scripts, make, only=None):
        self.name, self.title, self.paper, self.criterion = name, title, paper, criterion
        self.scripts, self.make, self.only = scripts, make, only


CLAIMS = [
    Claim(
        'B1',
        'Responses and filters',
        'Responses have lower rank than filters, early layers more so.',
        'The share of ranks that keeps 90 % of the energy is lower for responses than for'
        ' filters in every layer;'
        ' its mean over the first half of the layers is below that of the last half.',
        ['spectra'],
        one.b1,
    ),
    Claim(
        'B2',
        'Linear and nonlinear',
        'At equal rank the nonlinear solution\'s response error is never above the'
        ' linear one; accuracy may tie below 3x.',
        'Error: never above in any layer at any speedup. Accuracy, nonlinear minus linear:'
        ' at 2x no'
        ' interval lies below zero; at 3x to 5x, ' + ABOVE + '.',
        ['spectra', 'single'],
        one.b2,
    ),
    Claim(
        'B3',
        'Where the nonlinear solution gains',
        'The gain grows with the speedup and with the share of zeros' ' after the ReLU.',
        'The mean gain over the layers rises from each speedup to the next. The rank correlation'
        ' of gain and zeros has a 95 % interval above zero (not decided: positive, interval'
        ' includes zero).',
        ['spectra', 'single'],
        one.b3,
    ),
    Claim(
        'B4',
        'Energy and accuracy of one layer',
        'The loss of accuracy is about linear in the energy lost.',
        'Correlation within each layer at least 0.9. Correlation over all layers and'
        ' speedups at least 0.9; in part: at least 0.7.',
        ['spectra', 'single'],
        one.b4,
    ),
    Claim(
        'B5',
        'The first layer',
        'It stands about 1.8x.',
        'Alone at 1.8x, the interval of the loss stays within'
        ' half a point; not decided: it crosses it.',
        ['single'],
        one.b5,
    ),
    Claim(
        'B6',
        'Symmetric and asymmetric',
        'Asymmetric beats symmetric, more so with depth and speedup.',
        'Whole network, asymmetric minus symmetric at 3x, 4x, 5x: '
        + ABOVE
        + '. The difference rises with every'
        ' speedup; at 4x and 5x it rises from two layers to three to the whole network.',
        ['methods', 'few', 'modes'],
        whole.b6,
    ),
    Claim(
        'B7',
        'Approximated input on both sides',
        '(xhat, xhat) is worse than (x, x).',
        'Whole network, (x, x) minus (xhat, xhat) at 3x, 4x, 5x: ' + ABOVE + '.',
        ['few', 'modes'],
        whole.b7,
    ),
    Claim(
        'B8',
        'Rank selection',
        'Selection beats the same speedup for every layer at equal MACs.',
        'Energy minus uniform at 2x, 3x, 4x, 5x: ' + ABOVE + '.',
        ['methods', 'selection', 'sensitivity'],
        whole.b8,
    ),
    Claim(
        'B9',
        'Where selection spends',
        'It keeps more rank in cheap late layers.',
        'At 4x the mean ratio of chosen to uniform rank over the last half of the layers is'
        ' above 1 and above that'
        ' of the first half; in part: only the latter.',
        ['methods', 'selection'],
        whole.b9,
    ),
    Claim(
        'B11',
        'Whole model against spatial decomposition',
        'Asymmetric ties Jaderberg\'s method at 3x and wins at' ' 4x and 5x.',
        'At 3x the interval of asymmetric minus spatial is not below zero. At 4x and 5x: '
        + ABOVE
        + '.',
        ['methods'],
        whole.b11,
    ),
    Claim(
        'B12',
        'Three-way decomposition',
        '3d wins at 3x to 5x where layers are wide; narrow ones (below 64) may' ' reverse it.',
        '3d minus the other at 3x, 4x, 5x: ' + ABOVE + '.',
        ['methods'],
        whole.b12,
    ),
    Claim(
        'B16',
        'Calibration images',
        '3,000 images are enough.',
        'With 1,000 images, in both draws, accuracy is not'
        ' below that of 3,000 (interval) and the output error is less than 5 % higher: more'
        ' would not help.',
        ['methods', 'calibration'],
        settings.b16,
    ),
    Claim(
        'B17',
        'Schedule of the penalty',
        '0.01 first, then 1; a large one stalls.',
        'The mean held-out error at 4x'
        ' is the lowest of the schedules; it is below that of 100 only. Accuracy, minus'
        ' each of the others: '
        + ABOVE
        + '.',
        ['methods', 'schedule'],
        settings.b17,
    ),
    Claim(
        'B18',
        'Measured speed',
        'Measured on a CPU, networks run nearly as much faster as their multiply-adds say: at 4x'
        ' 930 ms became 267 ms (3.5x), 3287 ms became 858 ms (3.8x).',
        'The measured speedup of the whole network is at least 80 % of that in its multiply-adds'
        ' at 2x, 3x, 4x and 5x; in part: at some of them.',
        ['latency'],
        times.b18,
    ),
    Claim(
        'B19',
        'Product of energies',
        'It predicts accuracy across allocations of equal cost.',
        'Rank correlation'
        ' with top-1 over random allocations at least 0.7 with a 95 % interval above zero;'
        ' in part: only the'
        ' latter.',
        ['methods', 'allocations'],
        settings.b19,
    ),
    Claim(
        'direct',
        'Direct comparison at 4x',
        'Not a claim of the paper: the networks compared with each other on the' ' same images.',
        'Row total at least 3.95 for each. The better of 3d and nonlinear asymmetric minus'
        ' each of'
        ' spatial, SVD and linear symmetric: ' + ABOVE + '.',
        ['methods'],
        whole.direct,
    ),
    Claim(
        'propagation',
        'Error propagation',
        'Not a claim of the paper: the asymmetric fit takes back part of what' ' was inherited.',
        'The held-out errors summed over the layers are lower than those of the symmetric'
        ' solution.',
        ['methods', 'modes'],
        whole.propagation,
    ),
    Claim(
        'residual',
        'Residual network',
        'Not in the paper, which has chains only: a response is compared after the'
        ' addition, with the error of the shortcut in it.',
        'At 3x at most 1 point lost; summed held-out error lower'
        ' than with each convolution fitted alone at 2x, 3x and 4x; accuracy, minus alone: '
        + ABOVE
        + '.',
        ['methods', 'modes', 'alone'],
        whole.residual,
        'fashion-resnet',
    ),
    Claim(
        'split',
        'The two parts of 3d, and rounding',
        'The paper gives each part the square root of the speedup.',
        'None: numbers only.',
        ['methods', 'rounding'],
        whole.split,
    ),
]


def scripts(net, chosen):
    """Names of the scripts that these claims need on a network, in a fixed order."""
    need = {s for c in chosen if c.only in (None, net) for s in c.scripts}
    order = [
        'methods',
        'spectra',
        'single',
        'few',
        'modes',
        'selection',
        'calibration',
        'schedule',
        'rounding',
        'latency',
        'alone',
        'allocations',
        'sensitivity',
    ]
    out = []
    for s in order:
        if s in need:
            out.append(s + '-' + net if s in ('few', 'allocations', 'alone') else s)
        if s == 'single' and s in need and net == 'fashion-resnet':
            out.append('single-' + net)
    return out


def words(s):
    return '; '.join('%s: **%s**' % v for v in s.verdicts) or 'numbers only'


def measured(runners, value):
    """What was so when scripts ran: one text, or each with the scripts it belongs to."""
    found = {}
    for r in runners:
        for script, by in r.by.items():
            found.setdefault(value(by), []).append('%s of %s' % (script, r.net))
    if len(found) == 1:
        return next(iter(found))
    return '; '.join('%s (%s)' % (v, ', '.join(scripts)) for v, scripts in found.items())


def version_line(name):
    def value(by):
        lines = [l.split(None, 1) for l in by['version'].splitlines()]
        return next((l[1] for l in lines if l[0] == name), 'none')

    return value


def report(o, runners, chosen, hashes):
    nets = [r.net for r in runners]
    done = {
        (c.name, r.net): c.make(r, o) for c in chosen for r in runners if c.only in (None, r.net)
    }
    t = ['# The paper\'s claims on two small networks', '']
    if o.quick:
        t += ['**A quick run on few images: it tests the program and measures nothing.**', '']
    t += [
        'What X. Zhang, J. Zou, X. Ming, K. He and J. Sun, "Efficient and accurate'
        ' approximations of nonlinear'
        ' convolutional networks", CVPR 2015, found on large networks, measured again on'
        ' the embedded ones by'
        ' `scripts/paper/report`. Verdicts are computed from the numbers by the criterion'
        ' given with each claim.',
        '',
        'Differences are in points of top-1 on the %s test images, with their 95 %%'
        ' interval (Newcombe\'s'
        ' method 10), always paired on the same images. No solver and no rule saw any of them.'
        ' Held-out errors are |r(y) - r(y\')|^2 / |r(y)|^2 on'
        ' calibration images that the solver did not see. Speedups are those of all'
        ' convolutions, every added'
        ' part counted. Each setting was solved once, so intervals cover the choice of test'
        ' images, not that of'
        ' calibration images.' % format(len(runners[0].labels), ','),
        '',
        '| claim | | ' + ' | '.join('`@%s`' % n for n in nets) + ' |',
        '|---|---|' + '---|' * len(nets),
    ]
    for c in chosen:
        t.append(
            '| [%s](#%s) | %s | ' % (c.name, c.name.lower(), c.title)
            + ' | '.join(words(done[c.name, n]) if (c.name, n) in done else '' for n in nets)
            + ' |'
        )
    t += ['', '## How it was measured', '', '| | |', '|---|---|']
    t += ['| date | %s |' % measured(runners, lambda by: by['date'])]
    t += ['| processor | %s |' % measured(runners, lambda by: by['processor'])]
    for name in ('ranklab', 'BLAS', 'engine', 'gnuplot', 'threads'):
        t.append('| %s | %s |' % (name, measured(runners, version_line(name))))
    program = measured(runners, lambda by: '`%s`' % by['sha256'][:16])
    t += ['| seed | %d |' % o.seed, '| ranklab, sha256 | %s |' % program]
    t += ['| %s, sha256 | `%s` |' % (f, h[:16]) for f, h in hashes.items()]
    t += [
        '',
        'Seconds per script:',
        '',
        '| script | ' + ' | '.join(nets) + ' |',
        '|---|' + '---|' * len(nets),
    ]
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
            if (
                not o.quick
                and max(
                    abs(e[k] - v)
                    for k, v in zip(('top1_difference', 'difference_low', 'difference_high'), d)
                )
                > 2e-4
            ):
                raise SystemExit('eval and run disagree on %s: %s, %s' % (r.net, e, d))
    for c in chosen:
        t += [
            '<a id="%s"></a>' % c.name.lower(),
            '',
            '## %s: %s' % (c.name, c.title),
            '',
            c.paper,
            '',
            'Criterion: ' + c.criterion[0].lower() + c.criterion[1:],
            '',
        ]
        for n in nets:
            if (c.name, n) in done:
                t += ['### `@%s`' % n, '', words(done[c.name, n]), '']
                t += done[c.name, n].text
    return '\n'.join(t).rstrip() + '\n'
