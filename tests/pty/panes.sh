#!/bin/bash
# The panes on a real terminal, through tmux: a walk by keys, work that goes on while keys,
# resizes and ^C are answered, ^Z, pastes, and the script that the walk leaves.
# usage: panes.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"

begin 100 30
keys "'$ranklab' --no-init" Enter
wait_for start 'convolutions can be approximated'
wait_for predicted '100\.0 .*0\.34'
check "alternate screen" is_alternate 1

# ---- a walk ----
keys Escape
wait_for "in the table" 'left right: rank'
keys Down Down Left
wait_for "a key types a command" '^ranklab> rank conv3 67'
wait_for "the state follows" '^> ? conv3  *67/80'
keys F4
wait_for "a command to complete" '^ranklab> select --speedup *$'
keys 4 Enter
wait_for "totals follow" '~4\.0[0-9]x  ?7 to solve'

# ---- work goes on while the screen lives ----
keys 'solve all; solve all; solve all; solve all; solve all' Enter
wait_for progress '\(sampling\|solving\).*%.*^C stops'
keys 'echo typed while it works'
wait_for "typing while working" '^ranklab> echo typed while it works$'
t resize-window -x 60 -y 15
wait_for "one pane" '^ table.*5 log'
t resize-window -x 30 -y 8
wait_for "no panes" '^ *while it works$'
t resize-window -x 1 -y 1
t resize-window -x 100 -y 30
wait_for "both columns again" 'layers [0-9].*1 plot'
wait_for "still working" '\(sampling\|solving\|converting\).*^C stops'
keys Enter
wait_for "a second command waits" '1 waiting'
keys F6 Down
wait_for "the cursor moves while working" '^> . conv4'
keys u
wait_for "a key's command is refused by name" 'solve all.* still runs: ^C stops it'
keys C-c
wait_gone "^C stops all of it" '\^C stops'
keys F6 C-l
keys 'rank all 40%; solve' Enter
wait_for "works again" '\(sampling\|solving\).*^C stops'
start=$(ms)
keys C-c
wait_for interrupted 'interrupted; nothing was changed'
spent=$(($(ms) - start))
[ $spent -lt 1500 ] && ok || fail "^C within a second" "took $spent ms"
wait_gone "the end of the work" '\^C stops'
keys 'assert conv2.state == chosen; echo un' 'changed' Enter
wait_for "nothing was changed" '^unchanged$'

# ---- the prompt ----
keys C-l
keys 'lay' Tab
wait_for completion '^ranklab> layers *$'
keys C-c
wait_gone "^C clears the line" '^ranklab> layers'
keys -l 'echo hé作者'
wait_for "wide characters" '^ranklab> echo hé作者$'
[ "$(t display-message -p '#{cursor_x}')" = 20 ] && ok || fail "cursor behind wide characters" \
    "column $(t display-message -p '#{cursor_x}'), not 20"
keys Enter
wait_for "echoed" '^hé作者$'
printf 'echo first\necho second\n' >pasted
t load-buffer pasted
t paste-buffer -p
wait_for "a paste is one edit" '^ranklab> echo first; echo second$'
keys C-_
wait_gone "undone at once" '^ranklab> echo first'
keys C-r
keys -l 'hé'
wait_for "search in the history" "reverse-i-search.*hé': echo hé作者"
keys C-g
wait_gone "search is left" 'reverse-i-search'

# ---- ^Z and back ----
keys C-z
wait_for stopped 'Stopped'
check "the shell's screen" is_alternate 0
check "the shell's terminal modes" same_modes
keys 'fg' Enter
wait_for "back again" '^ *layers [0-9]'
check "alternate screen again" is_alternate 1
keys 'echo after the shell' Enter
wait_for "the prompt works again" '^after the shell$'

# ---- a plot in its pane, what is printed elsewhere, the mouse ----
keys 'plot energy conv3,conv4 --to pane' Enter
wait_for "a plot" 'energy of the responses'
[ "$(t display-message -p '#{mouse_any_flag}')" = 0 ] && ok || fail mouse "is on unasked"
keys 'set mouse on' Enter
check "mouse on" [ "$(sleep 0.5; t display-message -p '#{mouse_any_flag}')" = 1 ]
keys 'set mouse off' Enter
keys 'export table layers layers.csv; layers > shown.csv' Enter
wait_for exported 'wrote shown.csv'

# ---- idle costs nothing ----
pid=$(pid_of)
sleep 0.5
before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
sleep 2
after=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
[ "$before" = "$after" ] && ok || fail idle "used $((after - before)) ticks in 2 s"

keys F10
wait_for "left by F10" '^shell>'
check "screen after the end" is_alternate 0
check "modes after the end" same_modes

# ---- the walk as a script ----
script=$work/$(ls .local/state/ranklab/sessions/*.rl)
grep -q '^rank conv3 67$' "$script" && grep -q '^select --speedup 4' "$script" && ok ||
    fail "recorded" "$(cat "$script")"
mkdir replayed
if (cd replayed && sed "s|$work/|$work/replayed/|g" "$script" >script.rl &&
    env HOME="$work" RANKLAB_DATA="$RANKLAB_DATA" ASAN_OPTIONS=detect_leaks=1 \
        "$ranklab" -b --no-init script.rl >log 2>&1) && cmp -s shown.csv replayed/shown.csv &&
    cmp -s layers.csv replayed/layers.csv; then
    ok
else
    fail "replayed in batch" "$(tail -n 5 replayed/log; diff shown.csv replayed/shown.csv)"
fi
conclude
