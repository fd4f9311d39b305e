# exact
open net.onnx
rank conv3 32
assert conv3.rank == 32
assert conv3.rank < 33; assert conv3.rank <= 32; assert conv3.rank>31
assert conv3.rank >= 32; assert conv3.rank != 31
assert conv3.method == relu
assert conv3.state != solved
assert conv3.error_heldout == null
assert conv3.macs < conv3.macs_original
assert total.macs == 10618496
assert model.approximable == 8
assert data.calib == 0
try assert conv3.rank == 31
try assert conv3.rank > 50%
try assert conv3.rank > high
try assert conv3.method > 3
try assert conv3.error_heldout < 0.5
try assert conv3.ranc == 3
try assert conv3.zzzzzz == 3
try assert conv33.rank == 3
try assert conv*.rank == 3
try assert rank == 3
try assert conv3.rank
try assert conv3.rank =
try assert conv3.rank = 3
try assert conv3.rank == 3 4
try assert == 3
try assert eval.top1 > 0.5
try assert model.weight > 3
try assert data.test > 3
