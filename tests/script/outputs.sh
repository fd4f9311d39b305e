#!/bin/sh
# Outputs of a network are compared once and answered from the journal after that, all of
# them or none. usage: outputs.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks
lines="$XDG_CACHE_HOME/ranklab/journal.jsonl"

run() { "$ranklab" -b --no-init -e "$1" >"$work/out" 2>&1 </dev/null; }
holds() { grep -q -e "$1" "$work/out"; }
lacks() { ! grep -q -e "$1" "$work/out"; }

plan='open maps.onnx; data calib @fashion --count 40; data eval @fashion --count 30
method all pca; rank two 3; solve'
ask='eval --outputs --count 20'
n=$("$ranklab" -b --no-init -q -e "$plan; eval --outputs --count 5 > n.csv" >/dev/null 2>&1
    expr $(wc -l <n.csv) - 1)
rm -f "$lines"
check "the network has several outputs" test "$n" -ge 2
run "$plan; $ask > first.csv" && check "the first question is measured" lacks "from the journal"
check "a record for each output" test "$(grep -c '"what":"output"' "$lines")" -eq "$n"
run "$plan; $ask > second.csv" && check "the second one is answered" holds "answered from the journal"
check "with the same numbers" cmp -s first.csv second.csv
run "$plan; $ask --again > third.csv" && check "--again measures" lacks "from the journal"
check "and finds the same" cmp -s first.csv third.csv
run "$plan; eval --outputs --count 19" && check "other images" lacks "from the journal"
run "$plan; rank two 2; solve; $ask" && check "other factors" lacks "from the journal"
run "set journal off; $plan; $ask" && check "journal off" lacks "from the journal"
grep -v '"detail":"shares; ' "$lines" >fewer && cp fewer "$lines"
run "$plan; $ask" && check "the records of one output are gone: measured" lacks "from the journal"
run 'journal list --what output --last 1 > l.csv' &&
    check "journal list names it" grep -q ',output,' l.csv
run 'journal verify' && check "the journal is whole" lacks "damaged line"
run "$plan; eval --count 20"
check "evaluations are another question" lacks "from the journal"

# an operator that nobody knows, in place of one as long
sed 's/Conv/Cnov/g' net.onnx >foreign.onnx
for of in '' ' --original'; do
    run "open foreign.onnx; run zeros.npy out.npy$of"
    check "run$of says why it cannot" \
        holds 'run: foreign.onnx cannot be run: .*Cnov.* is not known (and '
    check "and says it alone" lacks 'batch dimension'
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
