#!/bin/sh
# Adds up the results of `make check` in the current build folder: every case of a unit test,
# every golden script. A test program that failed without saying how many cases did counts as
# one failure, so a crash cannot hide. $1: exit status of make check.
find . -name '*.trs' | sort | while IFS= read -r trs; do
    log="${trs%.trs}.log"
    result=$(sed -n 's/^:global-test-result: //p' "$trs")
    counts=$(sed -n \
        -e 's/^\[  PASSED  \] \([0-9]*\) test(s).*/\1 0/p' \
        -e 's/^\[  FAILED  \] \([0-9]*\) test(s).*/0 \1/p' \
        -e 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$log")
    echo "$counts" | awk -v result="$result" -v name="${log#./}" '
        { passed += $1; failed += $2 }
        END {
            if (result != "PASS" && failed == 0) failed = 1
            if (result == "PASS" && passed + failed == 0) passed = 1
            print passed, failed, result, name
        }'
done >check.sum
awk '$2 > 0 { print "FAILED: " $4 " (" $2 ")" }' check.sum
awk '$2 > 0 { print $4 }' check.sum | while IFS= read -r log; do
    echo "---- $log"
    grep -vE '^\[ +(RUN|OK) +\]' "$log" | tail -n 40
done
awk -v status="${1:-0}" '
    { p += $1; f += $2 }
    END {
        if (status != 0 && f == 0) f = 1
        printf "%d passed, %d failed\n", p, f
        exit f > 0
    }' check.sum
