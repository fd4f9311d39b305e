# exact
set seed 7
set round 8
show seed
set cache-memory 512M
show cache-memory
set cache-memory 3000
set cache-memory
set mode sym
set plot-terminal builtin
set color never
try set threads 0
try set threads x
try set round 0
try set seed -1
try set format
try show nothing
set format json
show mode
set format table
show round
