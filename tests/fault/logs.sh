#!/bin/sh
# Files that grow: the script of `record`, the automatic one of the session, the history and the
# journal, with each call to the system failing in turn. They hold whole lines, what was in them
# stays, and the work goes on; a kill tears the last line at most. Pruning and merging journals
# replaces the file or leaves it. Two programs at once lose nothing of each other.
# usage: logs.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
setup='open net.onnx; method all svd; rank all 4; solve; data eval images.npy --count 20'
printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '|u1', 'fortran_order': False, 'shape': (120, 1, 28, 28), }" >images.npy
tail -c 94080 net.onnx >>images.npy

# Without what differs from session to session.
content() { sed 's/ sha256 [0-9a-f]*$//' "$1" 2>/dev/null; }

# is_prefix FILE WHOLE: FILE's lines are the first of WHOLE's, all of them ended.
is_prefix()
{
    [ "$(tail -c 1 "$1" | od -An -c | tr -d ' ')" = '\n' ] || return 1
    content "$2" | head -n "$(wc -l <"$1")" >whole.txt
    content "$1" | cmp -s - whole.txt
}

# each CHECK UNDER COMMANDS: runs the commands with call after call failing.
each()
{
    check=$1
    n=0
    is_over=
    while [ ! "$is_over" ]; do
        n=$((n + 1))
        for how in $(ways $n); do
            prepare
            faulty "$2" $n "$how" "$3" || {
                is_over=yes
                break
            }
            where="$check, $hit"
            $check
        done
        [ $n -lt 500 ] || break
    done
    [ $n -gt 4 ] || fail "$check" "only $((n - 1)) calls"
}

# ---- record ----
script='open net.onnx; record out/F.rl; rank conv2 4; rank conv3 5; cost; record --stop'
check_record()
{
    if [ "$code" = 137 ]; then
        [ -e out/F.rl ] && sed '$d' out/F.rl >part.rl && [ -s part.rl ] && {
            is_prefix part.rl whole.rl || fail "$where" "other lines"
        }
        ok
        return
    fi
    left=$(ls -A out)
    if [ "$code" = 0 ]; then
        is_prefix out/F.rl whole.rl && [ "$(wc -l <out/F.rl)" = "$(wc -l <whole.rl)" ] && ok ||
            fail "$where" "exit status 0 and not the whole script"
    elif [ "$code" != 1 ]; then
        fail "$where" "exit status $code"
    elif [ -e out/F.rl ] && ! is_prefix out/F.rl whole.rl; then
        fail "$where" "not whole lines"
    elif [ "$left" ] && [ "$left" != F.rl ]; then
        fail "$where" "left $left"
    elif [ "$(grep -c 'F.rl' err)" -lt 1 ]; then
        fail "$where" "is not told"
    elif ! grep -q '^total' out.txt; then
        fail "$where" "the session does not go on"
    else
        ok
    fi
}
prepare() { rm -rf out; mkdir out; }
prepare
lab "$script" && cp out/F.rl whole.rl || fail record "does not work at all"
each check_record "$work/run/out" "$script"

# ---- the automatic script ----
script='open net.onnx; rank conv2 4; rank conv3 5; cost'
state=$HOME/.local/state
check_session()
{
    set -- "$state"/ranklab/sessions/*.rl
    if [ -e "$1" ]; then
        [ "$code" = 137 ] && sed -i '$d' "$1"
        [ ! -s "$1" ] || is_prefix "$1" whole.rl || fail "$where" "not whole lines"
    fi
    case $code in
    137) ok ;;
    0)
        if ! grep -q '^total' out.txt; then
            fail "$where" "the session does not go on"
        elif { [ ! -e "$1" ] || [ "$(wc -l <"$1")" -lt "$(wc -l <whole.rl)" ]; } &&
            [ "$how" != EACCES ] && ! grep -q 'recording stopped' err; then
            fail "$where" "is not told"
        else
            ok
        fi
        ;;
    *) fail "$where" "exit status $code" ;;
    esac
}
prepare() { rm -rf "$state"; }
prepare
lab "$script"
set -- "$state"/ranklab/sessions/*.rl
cp "$1" whole.rl || fail session "no script at all"
each check_session "$state" "$script"

# ---- the journal ----
cache=$HOME/.cache
journal=$cache/ranklab/journal.jsonl
is_whole() { [ -z "$(tail -c 1 "$1" | tr -d '\n')" ]; }
check_append()
{
    cmp -s -n "$(wc -c <old.jsonl)" old.jsonl "$journal" || {
        fail "$where" "what was there is gone"
        return
    }
    if [ "$code" = 137 ]; then
        # Whoever writes next ends the torn line, and nothing else is lost.
        lab "$setup; rank conv2 6; solve; eval"
        lab 'journal prune --damaged; journal verify' || fail "$where" "a kill damaged more"
        [ "$(wc -l <"$journal")" -ge 2 ] && ok || fail "$where" "lost a line"
        return
    fi
    is_whole "$journal" || fail "$where" "a torn line"
    if [ "$code" != 0 ]; then
        fail "$where" "exit status $code"
    elif [ "$(wc -l <"$journal")" -lt $(($(wc -l <old.jsonl) + 1)) ] &&
        ! grep -q 'kept' err; then
        fail "$where" "not kept and not told"
    elif ! grep -q 'still usable' out.txt; then
        fail "$where" "the session does not go on"
    else
        ok
    fi
}
prepare()
{
    mkdir -p "$cache/ranklab"
    rm -f "$cache/ranklab"/.r*
    cp old.jsonl "$journal"
}
lab "$setup; rank conv3 5; solve; eval"
cp "$journal" old.jsonl
each check_append "$cache" "$setup; eval; echo still usable"

# A new journal is in its folder for good before eval answers; one that was there is already.
# The call that is named here does not fail: only a write is ever short.
syncs()
{
    n=0
    n_syncs=0
    while [ $n -lt 60 ]; do
        n=$((n + 1))
        rm -rf "$cache/ranklab"
        [ ! "$1" ] || prepare
        faulty "$cache" $n short "$setup; eval" || break
        case $hit in *sync*) n_syncs=$((n_syncs + 1)) ;; esac
    done
    echo $n_syncs
}
[ "$(syncs old)" = 1 ] && [ "$(syncs '')" = 2 ] && ok ||
    fail journal "the folder of a new one is not flushed: $(syncs old), $(syncs '')"
prepare

# ---- pruning and merging ----
lab "$setup; eval" # two records now
cp "$journal" both.jsonl
printf 'damaged\n' >>both.jsonl
check_replaced()
{
    left=$(ls -A "$cache/ranklab")
    if cmp -s "$journal" "$before" || cmp -s "$journal" new.jsonl; then
        if [ "$code" = 137 ]; then
            ok
        elif [ "$left" != journal.jsonl ]; then
            fail "$where" "left $left"
        elif [ "$code" = 0 ] && ! cmp -s "$journal" new.jsonl; then
            fail "$where" "exit status 0 and the old journal"
        elif [ "$code" = 1 ] && ! { cmp -s "$journal" "$before" && grep -q '^-e:1:' err; }; then
            fail "$where" "not told, or replaced all the same"
        else
            ok
        fi
    else
        fail "$where" "neither the old nor the new journal"
    fi
}
prepare() { rm -f "$cache/ranklab"/.r* && cp "$before" "$journal"; }
for command in 'journal prune --damaged' 'journal merge both.jsonl'; do
    case $command in *prune*) before=both.jsonl ;; *) before=old.jsonl ;; esac
    prepare
    lab "$command" || fail "$command" "does not work at all"
    cp "$journal" new.jsonl
    cmp -s new.jsonl "$before" && fail "$command" "changes nothing"
    each check_replaced "$cache" "$command; echo still usable"
done

# ---- the history ----
history=$state/ranklab/history
keys() { for i in 1 2 3 4 5; do printf 'rank conv%d %d<Enter>' "$i" "$1"; done; }
panes() { "$ranklab" --no-init --size 80x24 --keys "$@" net.onnx >out.txt 2>err </dev/null; }
n=0
while [ $n -lt 60 ]; do
    n=$((n + 1))
    how=$(ways $n | cut -d ' ' -f 1)
    rm -rf "$state" "$FAULT_LOG" "$FAULT_UNTIL"
    mkdir -p "$state/ranklab"
    echo 'rank conv1 1' >"$history"
    keys 3 >keys
    LD_PRELOAD=$tools/io.so FAULT_UNDER=$history FAULT_AT=$n FAULT_HOW=$how panes keys
    [ -s "$FAULT_LOG" ] || break
    read -r hit <"$FAULT_LOG"
    where="history, $hit"
    [ "$how" = kill ] && sed -i '${/^rank conv[1-5] [13]$/!d}' "$history"
    grep -qv '^rank conv[1-5] [13]$' "$history" && fail "$where" "a torn line"
    [ "$(head -n 1 "$history")" = 'rank conv1 1' ] && ok || fail "$where" "an old line is gone"
done
[ $n -gt 10 ] && [ $n -lt 60 ] || fail history "$n calls"

# ---- two at once ----
rm -rf "$state" "$cache"
mkdir -p "$state/ranklab"
keys 3 >keys1
keys 4 >keys2
panes keys1 &
one=$!
panes keys2 &
two=$!
wait $one
wait $two
[ "$(sort "$history" | grep -c '^rank conv[1-5] [34]$')" = 10 ] && ok ||
    fail history "two at once: $(wc -l <"$history") lines"
for half in 1 2; do
    commands=$setup
    for i in 1 2 3 4 5 6 7 8 9 10; do
        commands="$commands; rank conv4 $((10 * half + i)); solve; eval"
    done
    "$ranklab" -b -q --no-init --threads 1 -e "$commands" >/dev/null 2>err$half </dev/null &
    eval "job$half=\$!"
done
wait "$job1" && wait "$job2" || fail journal "$(cat err1 err2)"
[ "$(wc -l <"$journal")" = 20 ] && lab 'journal verify' && ok ||
    fail journal "two at once: $(wc -l <"$journal") lines"

# ---- the standard output ----
"$ranklab" -b --no-init -e 'open net.onnx; cost' >/dev/full 2>err
code=$?
[ $code = 1 ] && grep -q 'standard output: No space' err && ok || fail "/dev/full" "exit status $code"
{
    "$ranklab" -b --no-init -e 'open net.onnx; help --man; help --man; help --man' 2>err
    echo $? >code
} | head -n 1 >/dev/null
[ "$(cat code)" = 141 ] && [ ! -s err ] && ok || fail "closed pipe" "exit status $(cat code)"
finish
