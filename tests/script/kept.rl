# What is kept can be written without being used, and is forgotten with the network, aloud.
open net.onnx
data calib @fashion --count 10
data eval @fashion --count 60
method all relu
rank conv3,conv4 50%
solve
eval > eval.csv
keep fast
keep same
rank conv4 8
try export onnx plan.onnx
export onnx fast.onnx --config fast
export config fast.json --config fast
try export onnx other.onnx --config slow
try export table layers layers.csv --config fast
import config fast.json
configs
keep told
configs
compare told
compare same
open fast.onnx
configs
import config fast.json --force
keep once
close
