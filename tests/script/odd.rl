# A network of everything that goes wrong: dead filters, a response that never varies, an
# addition that broadcasts, splits that do not pay, ranks that cannot be. Solved in few.rl.
open odd.onnx
data calib @fashion --count 40
try rank thin 1
try rank depth 8
try method depth 3d
rank stem..wide 25%
rank wide,depth 12
rank gate 12
method wide 3d
rank wide 8
try rank wide 8,49
try rank wide 25,8
try rank wide 0,8
try rank wide 8,0
try rank stem 4,2
rank wide 8,48
rank wide 8,12
method flat spatial
try rank flat 49
try rank flat 4,4
rank flat 4
try method gate spatial
method fc 3d
rank fc 3
layers
try select --speedup 50 --rule uniform
try select --speedup 2.9 --rule uniform --round 16
