# args -q
# A network with shortcuts, end to end on a few images.
open @fashion-resnet
data calib @fashion --count 200
data eval @fashion --count 200
select --speedup 2 > ranks.csv
assert total.speedup >= 2
solve
assert total.speedup >= 2
eval > eval.csv
assert eval.agreement > 60%
assert eval.output_error < 0.5
export onnx fast.onnx
data eval @fashion --count 200
open fast.onnx
assert total.speedup == 1
data eval @fashion --count 200
eval > eval.csv
assert eval.agreement == 1
assert eval.top1 > 50%
