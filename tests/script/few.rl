# args -q
# Dead filters, a response that never varies, and fewer samples than filters: solved, with a
# warning, and never without a number where there should be one.
open odd.onnx
data calib @fashion --count 40
data eval @fashion --count 40
rank stem 4; rank flat 4
method wide 3d
rank wide 8,12
method last spatial; rank last 1
method fc svd; rank fc 3
solve
assert stem.error_heldout < 0.2
assert flat.error_heldout < 0.2
assert flat.energy == 1
assert wide.error_heldout < 0.2
assert last.error_heldout < 1
assert fc.error_heldout < 1
eval > eval.csv
assert eval.output_error >= 0
try select --speedup 50 --rule knapsack --objective error
select --speedup 1.5 --rule sensitivity > ranks.csv
assert total.speedup >= 1.5
solve
export onnx out.onnx
assert network.speedup > 1.4
# One image: nothing to validate on, nothing held out.
data calib @fashion --count 1
method all relu
rank wide 17; rank flat 3; rank stem 4
solve
assert wide.error_heldout == null
assert wide.error_calib < 0.1
method wide,flat 3d
solve
assert wide.error_heldout == null
try select --speedup 1.5 --rule sensitivity > ranks.csv
try select --speedup 1.5 --rule knapsack --objective error
select --speedup 1.5 > ranks.csv
assert total.speedup >= 1.5
solve
eval > eval.csv
assert eval.agreement >= 0
# A rank above what the data span.
data calib @fashion --count 1
method all pca
rank wide 17
solve
assert wide.error_calib < 0.000001
info wide > info.json
