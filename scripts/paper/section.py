"""What a claim's function returns, its verdicts, and how it reads the results of a network."""
import os
import shutil

SPEEDUPS = (2, 3, 4, 5)
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


ABOVE = (
    'holds: every interval lies above zero; holds in part: some do and none lies below; not'
    ' decided:'
    ' all include zero; does not hold: one lies below zero'
)


def own(r):
    """Solved rows of the table of errors."""
    return lambda script, name: [
        x for x in r.layers(script, name) if x['error_heldout'] is not None
    ]


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
