# exit 1
# args -k -x
# exact
echo one
rank conv3 4
source sub/fails.rl
echo two
