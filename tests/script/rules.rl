# args -q
# Every rule of rank selection and what it can do; the ranks depend on the trained weights
# and are asserted, not shown.
open @fashion
data calib @fashion --count 100
data eval @fashion --count 100
set iterations 2,2
select --speedup 3 > table.csv
assert total.speedup >= 3
assert total.speedup < 3.1
assert conv2.energy > 50%
select --speedup 3 --rule paper > table.csv
assert total.speedup >= 3
select --speedup 3 --rule uniform > table.csv
assert total.speedup >= 3
assert conv5.speedup >= 2.9
select --speedup 3 --rule knapsack > table.csv
assert total.speedup >= 3
assert total.speedup < 3.01
select --speedup 3 --rule knapsack --objective error > table.csv
assert total.speedup >= 3
select --speedup 2 --rule knapsack --objective error --round 16 > table.csv
assert total.speedup >= 2
select --speedup 3 --rule sensitivity > table.csv
assert total.speedup >= 3
select --params 200k --rule knapsack > table.csv
assert total.params <= 200000
method fc1 relu
select --params 300k --of network --rule knapsack > table.csv
assert network.params <= 300000
assert fc1.state == chosen
select --speedup 2 --of network --keep conv1,conv2 > table.csv
assert network.speedup >= 2
assert conv2.state == whole
method conv3..conv7 3d
select --speedup 4 > table.csv
assert total.speedup >= 4
assert conv4.rank_spatial > 0
select --macs 12M --rule knapsack > table.csv
assert total.macs <= 12000000
solve
assert conv4.error_heldout < 0.9
# Sets with layers that method keep holds whole.
method conv3..conv7 relu
method fc1 keep; rank fc1 full
rank all e=95%
assert conv4.energy >= 95%
assert fc1.rank == 256
rank all x=2
assert conv4.speedup >= 2
assert fc1.rank == 256
try rank fc1,fc2 e=95%
# What cannot be.
try select --speedup 3 --rule sensitivity --objective error
try select --speedup 3 --rule nothing
try select --speedup 3 --of everything
try select --speedup 3 --macs 1M
try select --keep conv2
try select --energy 101%
try select --speedup 0.5
try select --speedup 2 --keep all
method conv3..conv7 svd
method fc1 keep
try select --speedup 1000
try select --speedup 60 --round 16
try select --params 100
try select --macs 1 --of network
