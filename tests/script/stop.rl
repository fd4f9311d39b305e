# exit 1
# exact
echo before
source sub/fails.rl
echo not reached
