#!/bin/sh
# The journal as users meet it: a repeated question is answered from it, a sweep killed in
# the middle goes on where it was and ends with the same curve, a journal that cannot be
# written stops nothing. usage: journal.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks
lines="$XDG_CACHE_HOME/ranklab/journal.jsonl"

run()
{
    "$ranklab" -b --no-init -e "$1" >"$work/out" 2>&1 </dev/null
}

holds() { grep -q -e "$1" "$work/out"; }
lacks() { ! grep -q -e "$1" "$work/out"; }
# The curves without how long they took.
same() { cut -d, -f1-24 "$1" >"$work/a" && cut -d, -f1-24 "$2" >"$work/b" && cmp -s "$work/a" "$work/b"; }

plan='open @fashion; method conv* svd; rank conv3 20; solve; eval --count 100'
run "$plan" && check "the first question is measured" lacks "from the journal"
run "$plan" && check "the second one is answered" holds "answered from the journal"
run "$plan --again" && check "--again measures" lacks "from the journal"
run "set journal off; $plan" && check "journal off" lacks "from the journal"
run 'journal verify > v.csv' && check "one record, repeated" grep -q '^2,[0-9]*,1,1,0,0,0,0$' v.csv

sweep='open @fashion; sweep conv5,conv7 --points 3 --count 100'
XDG_CACHE_HOME=$work/run/other "$ranklab" -b --no-init -e "$sweep > whole.csv" >/dev/null 2>&1
rm -f "$lines"
"$ranklab" -b --no-init -e "$sweep > never.csv" >/dev/null 2>&1 </dev/null &
pid=$!
tries=0
while [ "$(cat "$lines" 2>/dev/null | wc -l)" -lt 2 ] && [ $tries -lt 1200 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
kill -9 $pid
wait $pid 2>/dev/null
n=$(wc -l <"$lines")
check "killed in the middle" test "$n" -ge 2
run "$sweep > resumed.csv"
check "the points before are known" holds "[1-6] of 6 answered from the journal"
check "the curve is the same" same whole.csv resumed.csv
check "no point twice" test "$(wc -l <"$lines")" -le 7
net='open @fashion; sweep --speedup 2:4:2 --method svd --rule uniform --count 100'
run "$net > n1.csv" && run "$net > n2.csv"
check "networks are known" holds "2 of 2 answered from the journal"
check "networks are the same" cmp -s n1.csv n2.csv

printf 'torn' >>"$lines"
run 'journal verify'
check "a damaged line fails verify" test $? -eq 1
run 'journal prune --damaged; journal verify'
check "prune removes it" test $? -eq 0
cp "$lines" copy.jsonl
run 'journal merge copy.jsonl other/ranklab/journal.jsonl'
check "merge" holds "0 records added"

rm -rf "$XDG_CACHE_HOME"
: >"$XDG_CACHE_HOME" # a file where the folder should be
run "$plan"
check "an unusable journal stops nothing" test $? -eq 0
check "and is told of once" test "$(grep -c 'warning.*kept' "$work/out")" -eq 1

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
