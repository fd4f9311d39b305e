open net.onnx
try undo
try redo
rank conv3 40
rank conv4 30
method conv5 pca
undo
undo
redo
assert conv4.rank == 30
assert conv5.method == relu
rank conv4 30
undo
assert conv4.rank == 64
assert conv3.rank == 40
rank conv7 8
try redo
undo
undo
try undo
assert total.speedup == 1
method conv2..conv3 keep
rank conv2 4
assert conv2.state == whole
