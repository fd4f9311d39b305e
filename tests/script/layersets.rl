open net.onnx
rank conv2..conv3 4
rank 4,5 4
rank 6..7 4
rank all full
rank conv? 4
rank all full
rank *7,conv1..2 3
rank all full
rank conv3..conv2 3
rank @stale 4
assert conv3.rank == 4
assert conv4.rank == 64
assert 3.rank == 4
try rank conv2..conv99 3
try rank convx..conv3 3
try rank conv2.. 3
try rank nothing* 3
try rank 0 3
rank 8 3
try rank 9 3
try rank ' ' 3
