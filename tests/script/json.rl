# args --format json
# stdout-json
# Tables on the standard output, everything else on the error stream.
open net.onnx
echo a message
show format
rank conv3 40
layers conv3
cost conv3
error conv3
info conv3
try rank conv3 0
data
help states
history 2
