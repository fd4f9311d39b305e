#!/bin/bash
# A sweep by key on a real terminal: the curve grows while points come, ^C keeps those that
# are finished, and the sweep then goes on from them. usage: sweep.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"

begin 100 30
keys "'$ranklab' --no-init --threads 1 -i -e 'open @fashion; data eval @fashion --count 2000'" Enter
wait_for start 'convolutions can be approximated'
wait_for predicted '100\.0 .*0\.34'
keys Escape
wait_for "in the table" 'left right: rank'

# ---- marked layers: the curve of the one that is swept shows ----
keys Down Space Space
wait_for "on a layer that is not marked" "^>   conv4"
keys w
wait_for "the log has the command" '^ranklab> sweep conv2,conv3$'
wait_for "a curve while it runs" '=accuracy, conv2'
wait_for "still running" '\^C stops'
keys Down
wait_for "the cursor moves meanwhile" '^>   conv5'
keys Up Up Up
wait_for "its own curve" '=accuracy, conv2'

# ---- ^C ----
keys C-c
wait_for "what is finished is kept" '^[0-9]* points\{0,1\} finished: they are kept'
wait_gone "the end of the work" '\^C stops'
wait_for "the curve stays" '=accuracy, conv2'
keys F6
wait_for "to the prompt" 'Esc or F6: to the panes'
keys 'plot accuracy conv2 --to text; echo plotted' Enter
wait_for "the session has the points" '^plotted$'
keys F10
wait_for "left by F10" '^shell>'
conclude
