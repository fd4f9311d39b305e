#!/bin/bash
# The terminal after the program ends in bad ways, and what libraries print.
# usage: crash.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
net=$root/tests/script/net.onnx
cp "$net" net.onnx

for signal in SEGV ABRT TERM HUP; do
    begin 160 24
    keys "'$ranklab' --no-init net.onnx" Enter
    wait_for "$signal: start" 'Esc or F6'
    check "$signal: alternate screen" is_alternate 1
    kill -s $signal "$(pid_of)"
    check "$signal: screen" is_alternate 0
    wait_for "$signal: names the session" 'the session is kept in .*/sessions/.*\.rl'
    # What a killed program leaves is for the shell; the modes must be those from before.
    check "$signal: modes" same_modes
    [ "$(screen | grep -c 'session is kept')" = 1 ] && ok || fail "$signal" "said more than once"
done

# A hang-up ends the program.
begin 80 24
keys "'$ranklab' --no-init net.onnx" Enter
wait_for "hang-up: start" 'Esc or F6'
pid=$(pid_of)
is_gone()
{
    ! kill -0 "$pid" 2>/dev/null
}
t kill-session
check "hang-up ends it" is_gone

# What libraries print goes to the log, line by line.
begin 80 24
keys "DNNL_VERBOSE=1 '$ranklab' --no-init -i -e 'open @fashion; data calib @fashion --count 20'" Enter
wait_for "printed by a library" '^onednn_verbose'
keys Escape
wait_for "the screen is whole" '^>   conv1 .*48/48'
keys C-d F10
wait_for "printed: left" '^shell>'
conclude
