#!/bin/sh
# Runs every golden script through the program and compares what it prints with NAME.out.
# usage: run-tests.sh [RANKLAB [NAME...]]
# The first lines of a script may say:  # exit N   # args OPTIONS   # show FILE...   # exact
#   # stdout-json (the standard output must hold JSON arrays only, one a line)
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] && shift
passed=0
failed=0

report()
{
    if [ "$2" = ok ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: $2"
    fi
}

names=$*
[ -n "$names" ] || names=$(cd "$here" && ls ./*.rl | sed 's|^\./||; s|\.rl$||')
for name in $names; do
    run_script "$name" >"$work/raw"
    code=$?
    clean <"$work/raw" >"$work/actual"
    expected=$(sed -n '1,5s/^# exit //p' "$here/$name.rl")
    tolerance=1e-3
    grep -q '^# exact' "$here/$name.rl" && tolerance=0
    if [ "$code" != "${expected:-0}" ]; then
        report "$name" "exit status $code, expected ${expected:-0}"
        tail -5 "$work/actual"
    elif ! awk -v tolerance=$tolerance -f "$here/compare.awk" "$here/$name.out" \
        "$work/actual" >"$work/difference"; then
        report "$name" "output differs"
        cat "$work/difference"
    else
        report "$name" ok
    fi
    if grep -q '^# stdout-json' "$here/$name.rl"; then
        new_folder
        options=$(sed -n '1,5s/^# args //p' "$here/$name.rl")
        # shellcheck disable=SC2086
        if (cd "$work/run" && "$ranklab" -b --no-init $options -f "$name.rl" 2>/dev/null </dev/null |
            grep -qv '^\[{.*}\]$'); then
            report "$name (json)" "the standard output holds something else"
        else
            report "$name (json)" ok
        fi
    fi
done

# Every documented example runs, in order, on the embedded network.
if [ $# -eq 0 ]; then
    new_folder
    if (cd "$work/run" && "$ranklab" -b --no-init -e 'help --examples' </dev/null >examples.rl &&
        "$ranklab" -b --no-init --safe -f examples.rl </dev/null >"$work/actual" 2>&1); then
        report examples ok
    else
        report examples "an example failed"
        tail -5 "$work/actual"
    fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
