# Ranks as numbers, shares and speedups, and everything that is refused. Without calibration
# images: nothing here depends on trained weights.
open net.onnx
rank conv3 40
rank conv3 50%
rank conv3 x=2
rank conv3 40 --round 8
rank conv3 43 --round 8
rank conv3 full
rank 2..4,conv6 25%
try rank conv* x=1.5 --round 4
rank conv2..conv7 x=1.5 --round 4
try rank conv3 0
try rank conv3 -1
try rank conv3 65
try rank conv3 9999999999999999999999
try rank conv3 abc
try rank conv3 1.5
try rank conv3 0%
try rank conv3 101%
try rank conv3 x=0.9
try rank conv3 x=1000
try rank conv3 x=
try rank conv3 e=
try rank conv3 e=0
try rank conv3 e=99%
try rank conv3 40,28
try rank conv3 ''
try rank @solved 4
try rank @stale,conv1 33
try rank conv6 5
try rank conv3,conv6 5
rank conv6 5 --round 4
try select --speedup 1000 --rule uniform
try select --macs 1 --rule uniform
select --speedup 2 --rule uniform --keep conv5
select --params 30k --rule uniform --round 4
rank conv3 64
rank conv1 8
assert conv3.rank == 64
assert conv3.state == whole
assert conv2.state == chosen
