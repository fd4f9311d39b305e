# args -q
# Selection and solving end to end on a few images. What depends on the trained weights is
# asserted, not shown.
open @fashion
data calib @fashion --count 300
data eval @fashion --count 400
select --speedup 2.5 > before.csv
assert total.speedup >= 2.5
assert total.speedup < 2.7
assert conv2.state == chosen
assert conv2.energy > 50%
solve
assert conv2.state == solved
assert conv7.state == solved
assert conv7.error_heldout < 0.5
assert conv7.error_heldout <= conv7.error_linear
eval > eval.csv
assert eval.images == 400
assert eval.agreement > 70%
assert eval.top1_difference > -0.2
rank conv3 16
assert conv3.state == chosen
assert conv4.state == stale
assert conv2.state == solved
try assert eval.top1 > 0.1
solve
assert conv4.state == solved
undo
assert conv4.state == stale
undo
assert conv3.state == solved
eval --count 100 > eval.csv
assert eval.images == 100
try eval --count 0
method all svd
solve
assert conv5.state == solved
method conv5 pca; rank conv5 30%
solve conv5 --mode sym
assert conv5.method == pca
select --energy 95% --keep conv3 --round 4 > sel.csv
assert conv3.state == whole
assert conv4.energy >= 95%
select --params 300k > sel.csv
assert total.params <= 300000
select --speedup 3 --rule uniform > sel.csv
assert total.speedup >= 3
