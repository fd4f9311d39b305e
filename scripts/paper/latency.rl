# How long networks take at 2x to 5x, by the engine's clock, against the originals in turn.
# Times do not depend on the filters' values, so nothing is solved.
# One thread, as in the paper; at 0.2 ms two would partly measure how they wait for each other.

set deploy-threads 1
method all relu; try method fc* keep
select --speedup 2
set deploy-batch 1; time > relu-2-1.json
set deploy-batch 64; time > relu-2-64.json
select --speedup 3
set deploy-batch 1; time > relu-3-1.json
set deploy-batch 64; time > relu-3-64.json
select --speedup 4
set deploy-batch 1; time > relu-4-1.json
set deploy-batch 64; time > relu-4-64.json
select --speedup 5
set deploy-batch 1; time > relu-5-1.json
set deploy-batch 64; time > relu-5-64.json
method all relu; try method fc* keep
select --speedup 2 --round 8
set deploy-batch 1; time > round-2-1.json
set deploy-batch 64; time > round-2-64.json
select --speedup 3 --round 8
set deploy-batch 1; time > round-3-1.json
set deploy-batch 64; time > round-3-64.json
select --speedup 4 --round 8
set deploy-batch 1; time > round-4-1.json
set deploy-batch 64; time > round-4-64.json
select --speedup 5 --round 8
set deploy-batch 1; time > round-5-1.json
set deploy-batch 64; time > round-5-64.json
method all 3d; try method fc* keep
select --speedup 2
set deploy-batch 1; time > 3d-2-1.json
set deploy-batch 64; time > 3d-2-64.json
select --speedup 3
set deploy-batch 1; time > 3d-3-1.json
set deploy-batch 64; time > 3d-3-64.json
select --speedup 4
set deploy-batch 1; time > 3d-4-1.json
set deploy-batch 64; time > 3d-4-64.json
select --speedup 5
set deploy-batch 1; time > 3d-5-1.json
set deploy-batch 64; time > 3d-5-64.json
