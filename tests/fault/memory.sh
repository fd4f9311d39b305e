#!/bin/sh
# A session on a small network with each allocation failing in turn, those of the program and
# those that protobuf-c makes: it does not crash, says that memory was short, leaves
# no half file and goes on; a failure that it survives changes nothing of what it prints and
# writes. (It says twice that it goes on: one of the two may be what fails.) Allocations reached
# by the same chain of calls are tried three times, not each.
# FAULT_ALL=1: all of these, otherwise some of them.
# usage: memory.sh [RANKLAB [N...]]: only these allocations
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] && shift
only=$*

printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '|u1', 'fortran_order': False, 'shape': (120, 1, 28, 28), }" >images.npy
tail -c 94080 net.onnx >>images.npy
cat >session.rl <<'END'
set iterations 1,1
open net.onnx
data calib images.npy --count 100
data eval images.npy --count 20
layers conv2
rank conv2,conv6 4
method conv1 3d
rank conv1 4,2
select --speedup 1.1 --keep conv4,conv3,conv5
solve conv2,conv1
rank fc 4
method conv7 svd
rank conv7 4
solve
error
eval
keep k
undo
use k
compare k
sweep conv2 --points 2 --count 10
plot ranks
export onnx out/a.onnx
export config out/a.json
import config out/a.json
export table layers out/a.md
cost > out/a.csv
run images.npy out/a.npy
export report out/rep
info conv2
history 2
echo still usable
echo still usable
cost
END

# session [VARIABLE=VALUE...]
session()
{
    rm -rf out "$HOME" "$FAULT_LOG"
    mkdir out "$HOME"
    env "$@" "$ranklab" -b -k --safe --no-init --threads 1 session.rl >out.txt 2>err </dev/null
    code=$?
}

FAULT_FROM=main:protobuf-c
export FAULT_FROM
# Times differ.
prints() { sed 's/[0-9.]* s$//' out.txt; }
files()
{
    for f in out/*; do
        [ -f "$f" ] && echo "$f $(grep -av '"seconds"' "$f" | cksum)"
    done
}
session A=B
[ "$code" = 0 ] || {
    fail "the session" "does not work at all"
    finish
    exit
}
prints >prints.txt
files >files.txt
session LD_PRELOAD="$tools/memory.so" FAULT_PLACES="$work/places"
total=$(wc -l <"$work/places")
[ "$total" -gt 500 ] || fail "allocations" "only $total"
stride=$((total / 40))
[ "$FAULT_ALL" ] && stride=1
# Without memory for its options and the first line of its script the program only ends.
[ "$only" ] || only=$(awk "NR > 20 && NR % $stride == $((FAULT_TURN % stride))" "$work/places")

for n in $only; do
    session LD_PRELOAD="$tools/memory.so" FAULT_AT="$n"
    where="allocation $n"
    [ "$FAULT_KEEP" ] && mkdir -p "$FAULT_KEEP" && cp "$FAULT_LOG" "$FAULT_KEEP/$n"
    prints >now.txt
    if [ ! -s "$FAULT_LOG" ]; then
        fail "$where" "was not made"
    elif [ "$code" != 0 ] && [ "$code" != 1 ]; then
        fail "$where" "exit status $code"
    elif ! grep -q '^still usable$' out.txt; then
        fail "$where" "the session does not go on"
    elif [ "$(find out -name '.ranklab-*')" ]; then
        fail "$where" "left something temporary"
    elif [ "$code" = 0 ] && ! cmp -s prints.txt now.txt; then
        fail "$where" "changed silently what is printed"
        diff prints.txt now.txt | head -5
    elif [ "$code" = 0 ] && [ "$(files)" != "$(cat files.txt)" ]; then
        fail "$where" "changed silently what is written"
        files | diff files.txt - | head -4
    elif [ "$code" = 1 ] && ! grep -qi 'memory' err; then
        fail "$where" "another reason is told"
    elif [ "$code" = 1 ] && [ -e out/a.onnx ] &&
        ! "$ranklab" -b -q --no-init -e 'open out/a.onnx' >/dev/null 2>&1; then
        fail "$where" "left half a network"
    elif [ "$code" = 1 ] && [ -e out/a.json ] && ! grep -q '^}$' out/a.json; then
        fail "$where" "left half a configuration"
    else
        ok
    fi
done
finish
