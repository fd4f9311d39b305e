# Named configurations: kept, used, dropped, and the way back.
open net.onnx
configs
try use fast
try keep ../fast
try keep -x
try keep ''
method all svd
rank conv3,conv4 50%
keep fast
solve
keep fast
set seed 7
rank conv4 8
try keep fast
keep slow
configs
use fast
assert conv4.state == solved
undo
assert conv4.rank == 8
redo
try use fsat
drop fast
keep fast
undo
configs > configs.csv
redo
try drop nothing
export config a.json
rank conv3 full
import config a.json
export config b.json
assert conv4.state == solved
try import config text.onnx
try import config missing.json
# How the engine convolved is of the file, too, and what milliseconds were chosen for.
set convolution winograd
export config w.json
set convolution direct
import config w.json
show convolution
set deploy-batch 8
set deploy-threads 3
set deploy-engine onnxruntime
keep deployed
export config d.json
set deploy-batch 1
set deploy-threads 0
set deploy-engine onednn
compare deployed
import config d.json
show deploy-batch
show deploy-threads
show deploy-engine
