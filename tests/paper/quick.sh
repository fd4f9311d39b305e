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
report() {
    "${PYTHON:-/usr/bin/python3}" "$top/scripts/paper/report" --quick --ranklab "$program" --work "$work/w" \
        --out "$work/out" --date "a test" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; return 1; }
}
figures_exist() {
    sed -n 's/^!\[.*](\(.*\))$/\1/p' "$work/out/README.md" >"$work/figures"
    [ -s "$work/figures" ] || return 1
    while read -r f; do
        grep -q '</svg>' "$work/out/$f" || { echo "no figure $f"; return 1; }
    done <"$work/figures"
}
ran_nothing() { ! grep -q '\.\.\.' "$work/log"; }
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
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
