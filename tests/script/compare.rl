# Two configurations side by side: what differs comes first, and only settings that differ.
open net.onnx
try compare fast
data calib @fashion --count 200
data eval @fashion --count 60
method all svd
rank conv3,conv4 50%
solve
eval > eval.csv
keep fast
compare fast
set seed 7
rank conv4 8
method conv6 spatial
rank conv6 6
compare fast
keep slow
solve
eval > eval.csv
keep slow
use fast
compare fast slow
compare slow fast > back.json
compare fast slow > there.csv
try compare fast slwo
try compare fast slow other
set format csv
compare fast slow
