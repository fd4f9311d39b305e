#!/bin/sh
# Networks whose first output has no class for an image: sweeps and plots show what there is
# of them instead of accuracy, labels or not, and say which way is better.
# usage: values.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
begin_checks

run() { "$ranklab" -b --no-init -k -e "$1" >"$work/out" 2>&1 </dev/null; }
holds() { grep -q -e "$1" "$work/out"; }
lacks() { ! grep -q -e "$1" "$work/out"; }
plotted() { grep -q -e "$2" "$1"; }

# @fashion has labels, which neither network has a use for.
for net in picture maps; do
    run "open $net.onnx; data calib @fashion --count 40; data eval @fashion --count 30
         method all pca; sweep two --points 3; sweep two --points 3 > $net.csv
         plot accuracy two --to $net-a.svg --script $net-a.gp
         sweep --speedup 1.1:1.3:0.1; rank two 4; solve; eval; keep four
         plot tradeoff --to $net-t.svg --script $net-t.gp
         select --speedup 1.2 --rule sensitivity"
    check "$net: all commands do" lacks '^-e:'
    check "$net: three ranks" test "$(grep -c '^two,' $net.csv)" -eq 3
    check "$net: no column of accuracy" lacks 'top1 %.*signif'
done
check "errors are plotted as such" plotted picture-a.gp 'output error with only two approximated'
check "on a logarithmic axis" plotted picture-a.gp 'logscale y'
check "less is better" plotted picture-t.gp 'less is better'
check "whole networks, too" plotted picture-t.gp 'output error of whole networks'
check "agreement is plotted" plotted maps-a.gp 'agreement with the original, only two'
check "of whole networks, too" plotted maps-t.gp 'agreement of whole networks'

run "open picture.onnx; data eval @fashion --count 30; data calib @fashion --count 40
     sweep two --points 3"
check "what stands for accuracy is said" holds 'no classes: error is'
run "open maps.onnx; data eval @fashion --count 30; data calib @fashion --count 40
     sweep two --points 3"
check "of maps, too" holds 'the share of places'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
