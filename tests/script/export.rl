# What is written can be read back, and gives what the session gives.
open net.onnx
run zeros.npy original.npy --original
run zeros.npy same.npy
export onnx same.onnx
rank all full
method all svd
rank conv3,conv4 50%
try export onnx fast.onnx
try export onnx net.onnx
try run zeros.npy net.onnx
try layers > net.onnx
try run zeros.npy out.npy
solve
export onnx fast.onnx
export onnx tapped.onnx --keep-names
export onnx half.onnx --fp16
try export onnx half.onnx --keep-names --fp32
try export config half.json --fp16
export config fast.json
export table layers layers.csv
run zeros.npy fast.npy
try run missing.npy out.npy
try run text.onnx out.npy
try run zeros.npy missing/out.npy
try run zeros.npy
open fast.onnx
assert model.layers == 10
run zeros.npy again.npy
open half.onnx
assert model.layers == 10
