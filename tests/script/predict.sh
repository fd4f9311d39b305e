#!/bin/sh
# What predictions are learned from: networks evaluated in this session and, through the
# journal, in earlier ones with the same images; not those whose layers were stale.
# usage: predict.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks

run()
{
    "$ranklab" -b --no-init -e "$1" >"$work/out" 2>&1 </dev/null
}
holds() { grep -q -e "$1" "$work/out"; }
lacks() { ! grep -q -e "$1" "$work/out"; }

net='open @fashion; data calib @fashion --count 100; data eval @fashion --count 200; method conv* pca'
change='rank conv3 10'

check "nothing is known" run "$net; predict"
check "and said" holds "nothing to predict from yet"
run "$net; rank conv3..conv5 20; solve; eval; rank conv3..conv5 12; $change"
check "one network of this session" holds "points, from 1 evaluation\$"
run "$net; rank conv3..conv5 10; solve; eval; rank conv3 20; solve conv3; eval"
check "the second was evaluated with stale layers" grep -q 'pca:20 pca:10!' cache/ranklab/journal.jsonl

# A replay has no journal to predict from.
run "$net; $change; predict; record predicted.rl"
check "known from the journal" holds "points, from [1-9]"
check "replayed without it" run "replay predicted.rl"
run "$net; $change"
check "networks of earlier sessions, but no stale ones" holds "points, from 2 evaluations\$"
run "$net; $change; predict > p.csv"
check "a row for each" test "$(grep -c '^journal,' p.csv)" -eq 2
check "how good it is" holds "left out one by one: off by .* of 2 within low..high"
# predicted from the other one, so not what was measured
check "left out means left out" awk -F, 'NR > 1 && $4 == $5 { bad = 1 } END { exit bad }' p.csv
run "$net; rank conv3..conv5 20; solve; eval; predict > p.csv"
check "what this session evaluates counts once" grep -q '^eval,' p.csv
check "and what the journal knows besides" test "$(grep -c '^[ej]' p.csv)" -eq 2
run "$net; set journal off; $change"
check "journal off" lacks predicted
run "$(echo "$net" | sed 's/--count 100/--count 101/'); $change"
check "other calibration images" lacks predicted
run "$(echo "$net" | sed 's/--count 200/--count 201/'); $change"
check "other evaluation images" lacks predicted
run "set journal off; $net; sweep conv3,conv5 --points 3; rank conv3..conv5 12"
check "layers alone are something, too" holds "points, from [1-6] swept points\$"

echo "$passed passed, $failed failed"
test "$failed" -eq 0
