# args --format csv -q
open net.onnx
rank conv3 40
layers conv3
show round
