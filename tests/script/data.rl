# exact
open net.onnx
try solve
try eval
try select --speedup 2
try data calib
try data train x
try data calib missing.idx
try data calib empty.idx
try data calib short.idx
try data calib small.idx
try data calib text.onnx
try data calib zeros.npy --mean 1,2
try data calib zeros.npy --mean a
try data calib zeros.npy --std 0
try data calib zeros.npy --count 3
try data calib zeros.npy --count 0
try data calib zeros.npy --labels missing
try data calib @nothing
data calib zeros.npy
data eval zeros.npy --mean 0.5 --std 0.5
assert data.calib == 2
assert data.eval == 2
data calib @fashion --count 50
data calib @fashion --count 50 --seed 7
assert data.calib == 50
