# A network of maps: agreement is that of places, labels have no say, and every output has a
# row of its own.
open maps.onnx
data calib @fashion --count 40
data eval @fashion --count 30
method all pca
rank two 3
solve
eval
assert eval.top1 == null
assert eval.agreement > 50%
assert eval.agreement < 1
eval --outputs
eval --outputs --count 10 > outputs.csv
try select --speedup 1.2 --rule sensitivity > ranks.csv
try sweep two --ranks 3:4:1 --metric agreement --precision 0.5
