#!/bin/sh
# A network that ends in a node that is not known, as detectors do, against the same network
# without its end: whatever runs it gives the same.
# usage: boxes.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks

run() { "$ranklab" -b --no-init -k -e "$1" >"$work/out" 2>&1 </dev/null; }
holds() { grep -q -e "$1" "$work/out"; }
lacks_error() { ! grep -q -e "^-e:" "$work/out"; }

run 'open boxes.onnx'
check "what stands for its outputs is told" \
    holds 'boxes.onnx cannot be run to its end: found: .* stands for its outputs: picture, shares$'
for n in boxes heads; do
    data="set format csv; open $n.onnx; data calib @fashion --count 200; data eval @fashion --count 60"
    run "$data; eval; eval --outputs; method all relu; select --speedup 2; solve; eval > $n-eval.csv
         eval --outputs > $n-outputs.csv; run zeros.npy $n.npy; export onnx $n-2x.onnx
         sweep two --points 3 --count 20 > $n-sweep.csv; layers > $n-layers.csv; time --runs 3"
    check "$n: what runs it does" lacks_error
    check "$n: exported and compared" holds "wrote $n-2x.onnx .* read back and compared$"
    # without times, and the memory that the end takes
    cut -d, -f1-12 $n-eval.csv >$n-eval
    cut -d, -f1-10 $n-sweep.csv >$n-sweep
    grep -v ^network $n-layers.csv >$n-layers
done
for what in outputs.csv layers eval sweep; do
    check "the same $what" cmp -s "boxes-$what" "heads-$what"
done
check "of two outputs" test "$(wc -l <boxes-outputs.csv)" -eq 3
check "the same picture" cmp -s boxes.npy heads.npy

# the end is still in the exported file
run 'open boxes-2x.onnx'
check "the end is in the exported file" holds 'found: .*NonZero.* stands for its outputs: picture, shares$'
run 'open boxes-2x.onnx; data eval @fashion --count 60; run zeros.npy again.npy'
check "which runs as the network did" holds 'wrote again.npy'

run 'open boxes.onnx; data eval @fashion --count 60; eval'
check "its evaluation is in the journal" holds 'answered from the journal'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
