# args -q
# exact
# Tables, texts that were asked for, and errors only.
open net.onnx
rank conv3 40
echo shown
try rank conv3 0
