# args --ascii
# Images without labels: sweeps and their plots are about agreement with the original.
open @fashion
data calib @fashion --count 60
set plot-terminal builtin
try data eval unlabelled.idx.gz --labels missing.idx
data eval unlabelled.idx.gz --mean 0.286 --std 0.353 --count 200
sweep conv3 --points 3
sweep conv5 --points 2 --precision 8
sweep --speedup 2:3:1 --method svd --rule uniform --count 100
plot accuracy conv3 --width 72 --height 12
plot accuracy conv3,conv5 --width 72 --height 12
plot error conv3 --width 72 --height 12
try plot error conv4 --by rank
try sweep conv3 --metric top1
