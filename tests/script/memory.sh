#!/bin/sh
# What commands state before they work, under a limit of memory: each says what it will
# hold or that it cannot, before anything is done; what is stated is kept; and the limit
# does not change what comes out. usage: memory.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks

run() { "$ranklab" -b --no-init -e "$1" >"$work/out" 2>&1 </dev/null; }
fails() { ! run "$1"; }
holds() { grep -q -e "$1" "$work/out"; }
# The most memory that was resident, of the program alone, against the largest statement.
within()
{
    stated=$(sed -n 's/.*will hold at most \([0-9.]*\) GB.*/\1/p' "$work/out" | sort -g | tail -1)
    peak=$(sed -n 's/^peak \([0-9]*\)$/\1/p' "$work/out")
    [ -n "$stated" ] && [ -n "$peak" ] &&
        awk -v s="$stated" -v p="$peak" 'BEGIN { exit !(p * 1024 <= (s + 0.005) * 1e9) }'
}
measured()
{
    "$ranklab" -b --no-init -e "$1" >"$work/out" 2>&1 </dev/null &
    pid=$!
    peak=0
    while kill -0 $pid 2>/dev/null; do
        k=$(awk '/^VmHWM/ { print $2 }' /proc/$pid/status 2>/dev/null)
        [ "${k:-0}" -gt "$peak" ] && peak=$k
        sleep 0.02
    done
    wait $pid
    code=$?
    echo "peak $peak" >>"$work/out"
    return $code
}

open='open @fashion; data calib @fashion --count 200; data eval @fashion --count 1000'
plan='method conv* svd; select --speedup 2 --rule uniform; solve'
limit='set max-memory 500M'

# Under a limit that leaves $3 kB beside what is held before the command: enough for what
# is made before it states what it needs.
refused()
{
    fails "$1; set max-memory 1M" || return 1
    held=$(sed -n 's/.*1M: \([0-9]*\) bytes are held already.*/\1/p' "$work/out")
    fails "$1; set max-memory $((held / 1000 + $3))k; $2"
}

# what states under which word: the limit, the word, what comes before, and the command
set -- \
    300 "sampling" "method conv* svd" "select --speedup 2" \
    300 "measuring layers" "select --speedup 2; method conv3 3d" "select --speedup 2" \
    2500 "evaluating" "$plan" "eval --again" \
    2500 "evaluating" "$plan" "eval --outputs --again" \
    300 "sweeping" "$plan" "sweep conv3 --points 2 --count 100" \
    2500 "timing" "$plan; set deploy-batch 4" "time --runs 1" \
    300 "running" "method conv* svd" "run zeros.npy out.npy"
while [ $# -gt 0 ]; do
    check "$4 runs" measured "$open; $limit; $3; $4"
    check "$4: states" holds "$2: the program will hold at most"
    check "$4: keeps to it" within
    check "$4: refused beforehand" refused "$open; $3" "$4" "$1"
    check "$4: says so" holds "$2 holds at least [0-9.]* GB, max-memory is 0.0[0-9] GB"
    shift 4
done

for how in direct winograd auto; do
    check "convolution $how" measured "$open; set convolution $how; $limit; $plan; eval --again"
    check "convolution $how: keeps to it" within
done

# the limit leaves fewer images to a batch, and the same numbers
run "$open; $plan; eval --again > free.csv"
run "$open; $plan; set max-memory 90M; eval --again > tight.csv"
cut -d, -f1-12 free.csv >a && cut -d, -f1-12 tight.csv >b
check "the same numbers within a limit" cmp a b

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
