# The main job from end to end on the embedded network. `scripts/run` replays it when there is
# no terminal; it leaves tables, plots, a configuration and a faster network in ranklab-demo/.
open @fashion
layers > ranklab-demo/layers-original.txt
plot energy all --to ranklab-demo/energy.svg

# ranks for a quarter of the multiply-adds of all convolutions, then the solver
select --speedup 4
solve
assert total.speedup >= 3.95

# what it costs: response errors, complexity, accuracy on the 10,000 test images
error
cost
eval
assert eval.top1_difference >= -0.015

plot error all --to ranklab-demo/error.svg
plot energy all --to ranklab-demo/energy.png
export table layers ranklab-demo/layers.csv
export table cost ranklab-demo/cost.md
export table error ranklab-demo/error.json
export config ranklab-demo/fashion-4x.json
plot propagation conv* --to ranklab-demo/propagation.svg
export onnx ranklab-demo/fashion-4x.onnx

# the same budget with every kernel split in two directions as well
method conv* 3d
select --speedup 4
solve
assert total.speedup >= 3.95
eval
assert eval.top1_difference >= -0.01
export table layers ranklab-demo/layers-3d.csv
export config ranklab-demo/fashion-4x-3d.json
export onnx ranklab-demo/fashion-4x-3d.onnx
