#!/bin/sh
# Every command that writes a file, with each of its calls to the system failing in turn (no
# room, an error of the disk, no permission, half a write, killed): the target is the old file
# or the complete new one, nothing temporary is left, failing is told in a line and by the exit
# status, and the session goes on. What a kill leaves is removed by whoever writes there next.
# usage: writers.sh [RANKLAB [WRITER...]]
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] && shift
only=$*

# What a folder or a file holds, in one line.
state() # PATH
{
    if [ -d "$1" ]; then
        (cd "$1" && for f in *; do [ -e "$f" ] && cksum "$f"; done) | cksum
    elif [ -e "$1" ]; then
        LC_ALL=C sed '/CreationDate/d' "$1" | cksum # of a PDF
    else
        echo none
    fi
}

# Whether the same command worked afterwards. A report also tells what was done meanwhile.
is_new_after()
{
    [ "$(state "after/$file")" = "$new" ] ||
        { [ -d "after/$file" ] && (cd "after/$file" && sha256sum -c --quiet SHA256SUMS) >/dev/null; }
}

# The state of out/$file when all went well must be $new, when it failed $before.
check_target()
{
    now=$(state "out/$file")
    left=$(ls -A out)
    temporary=$(ls -A "$TMPDIR")
    case $code in
    0) want=$new ;;
    1) want=$before ;;
    137) want= ;;
    *)
        fail "$where" "exit status $code"
        return
        ;;
    esac
    if [ "$code" = 137 ]; then
        [ "$now" = "$new" ] || [ "$now" = "$before" ] || {
            fail "$where" "neither the old nor the new one"
            return
        }
        for f in $left; do
            case $f in
            "$file" | .ranklab-????????????????.tmp) ;;
            *) fail "$where" "left $f" ;;
            esac
        done
        lab "$setup; $command"
        [ "$(state "out/$file")" = "$new" ] || fail "$where" "cannot be written afterwards"
        [ "$(ls -A out)" = "$file" ] || fail "$where" "not cleaned: $(ls -A out)"
        ok
        return
    fi
    if [ "$now" != "$want" ]; then
        fail "$where" "exit status $code and another file"
    elif [ "$left" != "$file" ] && { [ "$want" != none ] || [ "$left" ]; }; then
        fail "$where" "left $left"
    elif [ "$temporary" ] && case $hit in *unlink* | *opendir*) false ;; esac; then
        fail "$where" "left $temporary"
    elif ! grep -q '^still usable$' out.txt || ! is_new_after; then
        fail "$where" "the session does not go on"
    elif [ "$code" = 1 ] && { [ "$(grep -c '^-e:1:' err)" != 1 ] || [ "$(wc -l <err)" -gt 4 ]; }; then
        fail "$where" "not told in one line"
    elif [ "$code" = 1 ] && ! grep -q -e "$tells" err; then
        fail "$where" "the reason is not told"
    else
        ok
    fi
}

# writer FILE SETUP COMMAND: FILE in COMMAND stands for the target.
writer()
{
    file=$1
    name=${4:-$file}
    [ "$only" ] && case " $only " in *" $name "*) ;; *) return ;; esac
    setup="open net.onnx; $2"
    command=$(echo "$3" | sed "s|FILE|out/$file|")
    again=$(echo "$3" | sed "s|FILE|after/$file|")
    rm -rf out after old
    mkdir -p out after
    lab "$setup; $command" || {
        fail "$name" "does not work at all"
        return
    }
    new=$(state "out/$file")
    lab "open net.onnx; $other; $command" # another plan: what was there before
    mv out old
    [ "$(state "old/$file")" != "$new" ] || fail "$name" "the two files do not differ"
    n=$((1 - stride))
    is_over=
    while [ ! "$is_over" ]; do
        n=$((n + stride))
        for how in $(ways "$n"); do
            for is_there in yes no; do
                # Every call once with an old file, some without.
                [ "$is_there" = yes ] || [ "$FAULT_ALL" ] || [ "$how" = EIO ] ||
                    [ "$how" = full ] || continue
                rm -rf out after "$TMPDIR"/*
                mkdir out after
                [ $is_there = no ] || cp -R "old/$file" out/
                before=$(state "out/$file")
                faulty "$work/run/out:$TMPDIR" $n $how \
                    "$setup; $command; show > until.csv; echo still usable; $again" || {
                    is_over=yes
                    [ $code = 0 ] && [ "$(state "out/$file")" = "$new" ] ||
                        fail "$name" "fails without a reason"
                    continue
                }
                where="$name, $hit, old file: $is_there"
                check_target
            done
        done
        [ $n -lt 2000 ] || break
    done
    [ $n -gt $least ] || fail "$name" "only $n calls"
    [ "$FAULT_ALL" ] && echo "$name: $((n - 1)) calls"
}

printf '\223NUMPY\001\000v\000%-117s\n' \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 28, 28), }" >zeros.npy
head -c 6272 /dev/zero >>zeros.npy
stride=1
least=4
tells='No space left\|Input/output error\|Permission denied\|Short\|no room'
plan='method all svd; rank all 4; solve'
other='rank all 3'
writer f.json "$plan" 'export config FILE'
for ending in csv ${FAULT_ALL:+json txt} md; do
    writer "t.$ending" "$plan" 'export table layers FILE'
done
writer c.csv "$plan" 'cost > FILE'
writer f.onnx "$plan" 'export onnx FILE'
writer f.gp "$plan" 'plot ranks --script FILE'
writer r.npy "$plan" 'run zeros.npy FILE'
# gnuplot's folder is below TMPDIR, and counts.
tells=.
stride=7
[ "$FAULT_ALL" ] && stride=1
for ending in svg png pdf; do
    writer "f.$ending" "$plan" "plot ranks --to FILE"
done
FAULT_IN=gnuplot
export FAULT_IN
least=0
for ending in svg png pdf; do
    writer "f.$ending" "$plan" "plot ranks --to FILE" "gnuplot's.$ending"
done
FAULT_IN=
stride=9
[ "$FAULT_ALL" ] && stride=1
options=--safe
writer bare "$plan; keep k" 'export report FILE'
options=
[ "$FAULT_ALL" ] && writer report "$plan; keep k" 'export report FILE'
finish
