# show layers.csv layers.md layers.txt seed.json
# A table into a file; the old file stays when anything fails.
open net.onnx
rank conv3 40
layers conv3 > layers.csv
cost conv3 > layers.md
layers conv3 > layers.txt
show seed > 'seed.json'
try layers > missing/folder/layers.csv
try layers conv99 > layers.csv
try layers > folder.onnx
try export table layers missing/x.csv
try export table nothing x.csv
try export table eval x.csv
try export table layers
try export onnx a b
rank all full
try export onnx missing/x.onnx
