# exact
# Files that are no networks; what was open stays open.
open net.onnx
try open missing.onnx
try open empty.onnx
try open text.onnx
try open truncated.onnx
try open folder.onnx
try open @nothing
try open ''
try open net.onnx --input 1x3x32x32
try open net.onnx --input 1x1x28
try open net.onnx --input axb
assert model.layers == 8
assert model.name == net.onnx
close
try close
try layers
try rank conv3 4
try solve
try assert total.speedup > 1
try run zeros.npy out.npy
try data calib small.idx
