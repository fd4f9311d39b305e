# exact
# Paths of source are relative to the file that says it.
source sub/outer.rl
try source missing.rl
try source sub
try source sub/cycle-a.rl
source sub/outer.rl --check
try source sub/bad.rl --check
try source source.rl
try source sub/deep.rl
history
