# exact
# exit 1
# args -k
echo äöü; ranc 1 2
echo "open
	rank	conv3	1
echo äöü "x" \
   ; rank conv3 0.5
laye
ls
quit
echo not reached
