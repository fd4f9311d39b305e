# args -q
# Every method once, solved, exported and read back. Costs are those of the ranks and shown;
# what depends on the trained weights is asserted.
open @fashion
data calib @fashion --count 200
data eval @fashion --count 200
set iterations 5,5
rank conv2 16
method conv3 spatial; rank conv3 20
method conv4 spatial-refit; rank conv4 30
method conv5 3d; rank conv5 40,60
method conv6 pca; rank conv6 40
method conv7 svd; rank conv7 40
method fc1 relu; rank fc1 32
method fc2 pca; rank fc2 4
assert conv3.rank_spatial == 20
assert conv5.rank == 40
assert conv5.rank_spatial == 60
assert conv1.state == whole
assert fc2.state == chosen
cost > cost.csv
solve
assert conv2.state == solved
assert conv3.state == solved
assert conv4.state == solved
assert conv5.state == solved
assert conv6.state == solved
assert conv7.state == solved
assert fc1.state == solved
assert fc2.state == solved
assert conv2.error_heldout < 0.1
assert conv3.error_heldout < 0.5
assert conv4.error_heldout < conv4.error_inherited
assert conv4.error_heldout < 0.5
assert conv5.error_heldout < 0.5
assert conv6.error_heldout < 0.5
assert conv7.error_heldout < 0.9
assert fc1.error_heldout < 0.5
assert fc2.error_heldout < 0.5
assert conv3.error_calib > 0
eval > eval.csv
assert eval.agreement > 50%
cost
assert network.macs == 17060488
assert network.params == 206510
export onnx fast.onnx
# What was written costs what was said, in parts of its own.
open fast.onnx
assert model.layers == 18
assert network.macs == 17060488
assert network.params == 206510
data eval @fashion --count 200
eval > eval.csv
assert eval.top1 > 50%
