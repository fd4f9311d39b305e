# exact
open net.onnx
try opne x
try solvee
try sol
try rank convv3 4
try rank conv3 4 --rond 8
try rank conv3 4 --round
try rank conv3 4 --round 8 --round 8
try rank conv3 4 --round=0
try rank conv3
try select --rule enrgy --speedup 2
try select
try select --speedup 2 --energy 90%
try select --speedup 0.5
try method conv3 cpa
try method conv3 tucker
try set sed 3
try set format xml
try solve --mode backwards
try plot energie
try help rnak
try help zzz
try layers 99
try layers conv9..conv2
try layers @new
try layers a,,b
try info conv*
