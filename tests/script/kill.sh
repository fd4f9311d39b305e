#!/bin/sh
# Sweeps and a solve that are killed (SIGKILL) and started again: nothing is computed twice, and
# the table and the network are those of work that nothing happened to.
# usage: kill.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
deadline=300 # seconds, for a machine that has much else to do
tries=5
points=. # what the records of points contain
new_folder
cd "$work/run" || exit 2

fail()
{
    echo "FAIL $1: $2"
    cat out err 2>/dev/null | tail -5
    exit 1
}

# sweep CACHE COMMAND: its table into out, what it says into err.
sweep()
{
    XDG_CACHE_HOME=$1 "$ranklab" -b --no-init --threads 1 --format csv \
        -e "open @fashion; data calib @fashion --count 200; data eval @fashion --count 300; $2" \
        >out 2>err </dev/null
}

# Whole lines of a journal; a torn one is none.
lines()
{
    [ -f "$1/ranklab/journal.jsonl" ] || {
        echo 0
        return
    }
    grep -c "$points.*\"}\$" "$1/ranklab/journal.jsonl"
}

# table FILE: without the times, which differ.
table()
{
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "seconds") skip = i }
        { for (i = 1; i <= NF; i++) if (i != skip) printf "%s,", $i; print "" }' "$1"
}

# killed JOB COUNT LEAST CACHE ARGUMENT: kills "JOB CACHE ARGUMENT" once "COUNT CACHE" says
# LEAST. False when it was over sooner.
killed()
{
    "$1" "$4" "$5" &
    job=$!
    waited=0
    while [ "$("$2" "$4")" -lt "$3" ] && kill -0 $job 2>/dev/null; do
        [ $waited -lt $((deadline * 50)) ] || fail "$5" "nothing kept within $deadline s"
        sleep 0.02
        waited=$((waited + 1))
    done
    # The program is the child of the subshell that the job runs in, or that itself.
    program=$(ps -o pid= --ppid $job)
    kill -9 ${program:-$job} 2>/dev/null
    wait $job 2>/dev/null
    [ $? -eq 137 ] && [ "$("$2" "$4")" -ge "$3" ]
}

# kill_one NAME JOB COUNT LEAST ARGUMENT: tries until one was killed; cache is then its folder.
kill_one()
{
    try=0
    while :; do
        cache=$work/killed-$1-$try
        killed "$2" "$3" "$4" "$cache" "$5" && break
        try=$((try + 1))
        [ $try -lt $tries ] || fail "$1" "always over before it was killed"
    done
}

# resumes NAME COMMAND: the command gives the same after a kill.
resumes()
{
    name=$1
    sweep "$work/whole-$name" "$2" || fail "$name" "the sweep fails"
    cp out whole.csv
    total=$(lines "$work/whole-$name")
    [ "$(wc -l <whole.csv)" -eq $((total + 1)) ] || fail "$name" "$total lines of the journal"
    kill_one "$name" sweep lines 1 "$2"
    known=$(lines "$cache")
    [ "$known" -ge 1 ] && [ "$known" -lt "$total" ] || fail "$name" "$known of $total points kept"
    cp "$cache/ranklab/journal.jsonl" before.jsonl
    sweep "$cache" "$2" || fail "$name" "the sweep fails after a kill"
    grep -q "^$known of $total answered from the journal" err ||
        fail "$name" "not $known of $total answered"
    cmp -s -n "$(wc -c <before.jsonl)" before.jsonl "$cache/ranklab/journal.jsonl" ||
        fail "$name" "what was kept was written anew"
    [ "$(lines "$cache")" -eq "$total" ] || fail "$name" "$(lines "$cache") lines, not $total"
    sed 's/.*"key":"\([0-9a-f]*\)".*/\1/' "$cache/ranklab/journal.jsonl" | sort | uniq -d >twice
    [ -s twice ] && fail "$name" "computed twice"
    table whole.csv >whole.txt
    table out >out.txt
    awk -v tolerance=1e-6 -f "$here/compare.awk" whole.txt out.txt >difference || {
        cat difference
        fail "$name" "another table"
    }
    echo "ok $name: killed with $known of $total points kept"
}

resumes layers 'sweep conv2..conv5 --points 6'
resumes precision 'sweep conv3,conv4 --points 6 --precision 4'
# Nothing is kept of the activations: points still come one after the other.
resumes memory 'set cache-memory 0; sweep conv2 --points 4'
# The evaluations of the networks are records of their own.
points='uniform [0-9.]*x '
resumes networks 'sweep --speedup 2:5:1 --method svd --rule uniform'

# solving CACHE FILE: a solve, as long ones keep their layers, and the network it gives.
solving()
{
    XDG_CACHE_HOME=$1 SOURCE_DATE_EPOCH=1700000000 "$ranklab" -b --no-init --threads 1 \
        -e "open @fashion; data calib @fashion --count 300; set resume always" \
        -e "select --speedup 4; solve; export onnx $2" >out 2>err </dev/null
}

layers() { find "$1/ranklab/unfinished" -type f ! -name '.*' 2>/dev/null | wc -l; }

solving "$work/solve-whole" whole.onnx || fail solve "it fails"
[ "$(layers "$work/solve-whole")" -eq 0 ] || fail solve "layers stay after the end"
kill_one solve solving layers 2 killed.onnx
known=$(layers "$cache")
solving "$cache" again.onnx || fail solve "it fails after a kill"
grep -q "taken up again: $known of 7 layers" out err || fail solve "not $known layers taken up"
cmp -s whole.onnx again.onnx || fail solve "another network"
[ "$(layers "$cache")" -eq 0 ] || fail solve "layers stay after the end"
echo "ok solve: killed with $known of 7 layers kept"
