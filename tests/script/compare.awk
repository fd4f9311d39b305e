# Compares two outputs line by line: awk -v tolerance=1e-3 -f compare.awk EXPECTED ACTUAL
# Numbers with a point or an exponent may differ by the tolerance (relative) or by one unit of
# the last digit shown; whole numbers and all other text must be equal. Runs of blanks and of
# rules count as one, because column widths follow the numbers. tolerance=0: equal bytes.
function squeeze(s)
{
    gsub(/(─|-)(─|-)(─|-)+/, "---", s)
    gsub(/[ \t]+/, " ", s)
    sub(/ $/, "", s)
    return s
}

function digits(s,    p)
{
    sub(/[eE].*/, "", s)
    p = index(s, ".")
    return p ? length(s) - p : 0
}

function same(a, b,    x, y, n, m, d, limit)
{
    if (tolerance == 0)
        return a == b
    a = squeeze(a)
    b = squeeze(b)
    while (a != b) {
        n = match(a, /[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/)
        x = substr(a, RSTART, RLENGTH)
        if (!n)
            return 0
        a = substr(a, 1, RSTART - 1) "\001" substr(a, RSTART + RLENGTH)
        m = match(b, /[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?/)
        if (m != n)
            return 0
        y = substr(b, RSTART, RLENGTH)
        b = substr(b, 1, RSTART - 1) "\001" substr(b, RSTART + RLENGTH)
        if (x == y)
            continue
        if (x !~ /[.eE]/ && y !~ /[.eE]/)
            return 0
        d = x - y
        d = d < 0 ? -d : d
        limit = tolerance * (x > y ? x : y)
        if (digits(x) && limit < 1.01 * 10 ^ -digits(x))
            limit = 1.01 * 10 ^ -digits(x)
        if (d > limit)
            return 0
    }
    return 1
}

FNR == NR {
    expected[++n_expected] = $0
    next
}

{
    n_actual++
    if (n_actual > n_expected || !same(expected[n_actual], $0)) {
        if (n_bad++ < 5) {
            wanted = n_actual <= n_expected ? expected[n_actual] : "(nothing)"
            printf "line %d\n  expected: %s\n  actual:   %s\n", n_actual, wanted, $0
        }
    }
}

END {
    if (n_actual < n_expected) {
        printf "line %d\n  expected: %s\n  actual:   (nothing)\n", n_actual + 1,
            expected[n_actual + 1]
        n_bad++
    }
    exit n_bad > 0
}
