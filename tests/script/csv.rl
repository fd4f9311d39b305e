# args --format csv -q
open fashion.onnx
rank conv3 40
layers conv3
show round
