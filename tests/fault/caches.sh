#!/bin/sh
# Files that only save time, with each of their calls to the system failing in turn: which way
# to convolve, times against ranks, activations that do not fit into memory, layers of a solve
# that has not ended. What others have
# put there stays, lines are whole, failing is told, the session goes on, and the next one finds
# its way whatever a kill has left.
# usage: caches.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '|u1', 'fortran_order': False, 'shape': (120, 1, 28, 28), }" >images.npy
tail -c 94080 net.onnx >>images.npy
cache=$HOME/.cache/ranklab

# each CHECK UNDER COMMANDS: runs the commands with call after call failing.
each()
{
    name=$1
    n=$((1 - stride))
    is_over=
    while [ ! "$is_over" ]; do
        n=$((n + stride))
        for how in $(ways $n); do
            rm -rf "$HOME" "$TMPDIR"/*
            mkdir -p "$cache"
            cp known "$cache/convolutions"
            cp times "$cache/times"
            faulty "$2" $n "$how" "$3; show > until.csv; echo still usable" || {
                is_over=yes
                break
            }
            where="$name, $hit"
            "check_$1" "$3"
        done
        [ $n -lt 400 ] || break
    done
    [ $n -gt 4 ] || fail "$name" "only $((n - 1)) calls"
    [ "$FAULT_ALL" ] && echo "$name: $((n - 1)) calls"
}

# remembered FILE COMMANDS TOLD OLD: how it must be with FILE after a failure, which is told so.
remembered()
{
    file=$cache/$1
    old=$(wc -l <"$work/run/$4")
    again=$2
    grep -q '^another	' "$file" || fail "$where" "what was there is gone"
    [ -z "$(tail -c 1 "$file" | tr -d '\n')" ] || fail "$where" "a torn line"
    if [ "$code" = 137 ]; then
        lab "$again" || fail "$where" "cannot be done afterwards"
        [ "$(wc -l <"$file")" -gt "$old" ] || fail "$where" "is not remembered afterwards"
        left=$(find "$cache" -name '.ranklab-*')
        [ "$left" ] && fail "$where" "not cleaned: $left"
        ok
    elif [ "$(find "$cache" -name '.ranklab-*')" ] && [ "${hit#*unlink}" = "$hit" ]; then
        fail "$where" "left something temporary"
    elif [ "$code" != 0 ] && [ "$code" != 1 ]; then
        fail "$where" "exit status $code"
    elif ! grep -q '^still usable$' out.txt; then
        fail "$where" "the session does not go on"
    elif [ "$(wc -l <"$file")" -le "$old" ] && ! grep -q "$3" err; then
        fail "$where" "not remembered and not told"
    elif [ "$code" = 1 ] && [ "$(grep -c '^-e:1:' err)" != 1 ]; then
        fail "$where" "not told in one line"
    else
        ok
    fi
}

# Of the convolutions one is not known: those that are there need no time.
tuned='open net.onnx; set convolution auto; data eval images.npy --count 20; set journal off; eval'
: >times
lab "$tuned" || fail convolutions "does not work at all"
{
    printf 'another\tdirect\n'
    [ ! -e "$cache/convolutions" ] || sed '$d' "$cache/convolutions"
} >known
stride=1
check_convolutions() { remembered convolutions "$1" 'convolutions' known; }
# Without AVX-512 there is only one way.
if [ -e "$cache/convolutions" ]; then
    each convolutions "$cache" "$tuned"
fi

stride=3
[ "$FAULT_ALL" ] && stride=1

check_times() { remembered times "$1" 'times are kept for this session only' times; }
printf 'another\t0 1\n' >times
each times "$cache" 'open net.onnx; method conv2 svd; rank conv2 4; time --ranks conv2'

# ---- activations ----
solve='open net.onnx; data calib images.npy --count 100; rank conv2..conv6 4
set iterations 2,2; set cache-memory 0; solve'
check_spill()
{
    left=$(ls -A "$TMPDIR")
    case $code in
    0) cmp -s whole.csv errors.csv && ok || fail "$where" "another result" ;;
    1)
        if [ "$(grep -c '^-e:' err)" != 1 ] || ! grep -q "cannot.*$FAULT_REASON" err; then
            fail "$where" "not told in one line"
        elif ! grep -q '^still usable$' out.txt; then
            fail "$where" "the session does not go on"
        elif [ "$left" ]; then
            fail "$where" "left $left"
        elif ! cmp -s whole.csv again.csv; then
            fail "$where" "cannot be solved afterwards"
        else
            ok
        fi
        ;;
    137) [ "$left" ] && fail "$where" "left $left" || ok ;;
    *) fail "$where" "exit status $code" ;;
    esac
}
FAULT_REASON='\(No space\|Input/output\|denied\)'
lab "$solve; error > whole.csv" || fail spill "does not work at all"
stride=1
each spill "$TMPDIR" "$solve; error > errors.csv; show > until.csv; solve; error > again.csv"

# ---- layers of a solve ----
long='open net.onnx; set resume always; method conv2..conv6 svd; rank conv2..conv6 4
solve; error > errors.csv'
check_layers()
{
    if [ "$code" = 137 ]; then
        lab "$long" && cmp -s whole.csv errors.csv || fail "$where" "cannot be solved afterwards"
        left=$(find "$cache/unfinished" -type f 2>/dev/null)
        [ "$left" ] && fail "$where" "left $left"
        ok
    elif [ "$code" != 0 ] || ! cmp -s whole.csv errors.csv; then
        fail "$where" "exit status $code, or another result"
    elif [ "${hit#*rename}" != "$hit" ] && [ "$how" != short ] && ! grep -q 'not kept' err; then
        fail "$where" "not told"
    elif [ "$(find "$cache" -name '.ranklab-*')" ] && [ "${hit#*unlink}" = "$hit" ]; then
        fail "$where" "left something temporary"
    else
        ok
    fi
}
lab "$long" && cp errors.csv whole.csv || fail layers "does not work at all"
stride=3
[ "$FAULT_ALL" ] && stride=1
each layers "$cache" "$long"
finish
