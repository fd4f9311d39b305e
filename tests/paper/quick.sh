#!/bin/sh
# Replays every script of the paper's claims on few images and reads the report: a verdict or
# numbers for each claim on each network, every figure there, nothing run again the second
# time. Measures nothing. Usage: RANKLAB=PROGRAM tests/paper/quick.sh
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
program=${RANKLAB:-$top/build/ranklab}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
check() { # WHAT COMMAND...
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        echo "not ok: $what"
        failed=$((failed + 1))
    fi
}
report() { # [OPTION...]
    "${PYTHON:-/usr/bin/python3}" "$top/scripts/paper/report" --quick --ranklab "$program" --work "$work/w" \
        --out "$work/out" --date "a test" "$@" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; return 1; }
}
figures_exist() {
    sed -n 's/^!\[.*](\(.*\))$/\1/p' "$work/out/README.md" >"$work/figures"
    [ -s "$work/figures" ] || return 1
    while read -r f; do
        grep -q '</svg>' "$work/out/$f" || { echo "no figure $f"; return 1; }
    done <"$work/figures"
}
ran_nothing() { ! grep -q '\.\.\.' "$work/log"; }
elsewhere() { # the report of a machine that did not measure
    sed -i 's/"processor": "[^"]*"/"processor": "Abacus, 3 processors"/' \
        "$work"/w/quick-*/latency/done.json
    report --only B18 --out "$work/b18" && grep -q '^Measured on Abacus, 3' "$work/b18/README.md" &&
        grep -q '^| processor | Abacus, 3 processors |$' "$work/b18/README.md"
}
other_threads() {
    report --only B18 --network fashion --out "$work/b18" --threads 1 && ! ran_nothing
}
unsteady() { # WHAT IT SAYS: of times of which one original took 6 % longer
    mkdir -p "$work/unsteady" && cp "$work"/w/quick-fashion/latency/*.json "$work/unsteady" &&
        "${PYTHON:-/usr/bin/python3}" -B - "$top/scripts/paper" "$work/unsteady" <<'END'
import json, os, sys
sys.path.insert(0, sys.argv[1])
import time_claims
for name in os.listdir(sys.argv[2]):
    if name == 'done.json':
        continue
    path = os.path.join(sys.argv[2], name)
    rows = json.load(open(path))
    rows[-1]['ms_original'] = 1.04 if name == 'relu-3-1.json' else 1
    json.dump(rows, open(path, 'w'))
assert time_claims.unsteady(sys.argv[2]) is None
path = os.path.join(sys.argv[2], '3d-5-1.json')
rows = json.load(open(path))
rows[-1]['ms_original'] = 1.06
json.dump(rows, open(path, 'w'))
assert 'batch 1:' in time_claims.unsteady(sys.argv[2])
assert time_claims.cut(0.7999) == '79.9 %' and time_claims.cut(0.8) == '80.0 %'
END
}
small() { [ "$(du -sk "$work/out" | cut -f1)" -lt 2048 ]; }

check "runs" report
for c in B1 B2 B3 B4 B5 B6 B7 B8 B9 B11 B12 B16 B17 B18 B19; do
    check "$c has verdicts for both networks" \
        grep -qE "^\| \[$c\].*\*\*.*\|.*\*\*.*\|$" "$work/out/README.md"
done
check "figures" figures_exist
check "under 2 MB" small
check "runs again" report
check "keeps what it has" ran_nothing
check "names the machine that measured" elsewhere
check "times that differ between rows are refused" unsteady
check "other threads run again" other_threads
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
