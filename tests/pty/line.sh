#!/bin/sh
# Line mode on a real terminal, through tmux: the prompt, completion, history, ^C at the prompt
# and during work, ^D. Every wait is for a text with a deadline. usage: line.sh [RANKLAB]
ranklab=${1:-${RANKLAB:-./ranklab}}
root=$(cd "$(dirname "$0")/../.." && pwd)
case $ranklab in
/*) ;;
*) ranklab=$PWD/$ranklab ;;
esac
if ! command -v tmux >/dev/null 2>&1; then
    echo "line.sh: skipped, there is no tmux"
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/ranklab-pty.XXXXXX") || exit 2
socket=$work/tmux
passed=0
failed=0

t()
{
    tmux -S "$socket" -f /dev/null "$@"
}

finish()
{
    t kill-server 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

screen()
{
    t capture-pane -p 2>/dev/null
}

# wait_for NAME PATTERN: until a line of the screen matches; 60 s at most.
wait_for()
{
    n=0
    while [ $n -lt 1200 ]; do
        if screen | grep -q -e "$2"; then
            passed=$((passed + 1))
            return 0
        fi
        n=$((n + 1))
        sleep 0.05
    done
    failed=$((failed + 1))
    echo "FAIL $1: no '$2' on the screen:"
    screen | sed 's/^/    /' | grep -v '^ *$' | tail -15
    return 1
}

keys()
{
    t send-keys "$@"
}

# A fresh screen, so that old text does not match: the prompt stands on its first line.
clear_screen()
{
    keys C-l
    n=0
    until screen | head -1 | grep -q '^ranklab>' || [ $n -gt 200 ]; do
        n=$((n + 1))
        sleep 0.05
    done
}

: "${RANKLAB_DATA:=$root/data}"
cd "$work" || exit 2
t new-session -d -x 100 -y 30 "trap : INT; env -u NO_COLOR -u INPUTRC -u XDG_STATE_HOME -u XDG_CONFIG_HOME \
    HOME='$work' LC_ALL=C.UTF-8 TERM=screen RANKLAB_DATA='$RANKLAB_DATA' '$ranklab' --plain; \
    echo status=\$?; cat" || exit 2

wait_for start 'convolutions can be approximated'
wait_for prompt '^ranklab>$'

keys 'lay' Tab 'conv2' Enter
wait_for completion '^ranklab> layers conv2$'
wait_for table '^network '
keys 'meth' Tab 'conv2 k' Tab Enter
wait_for completion-of-values '^ranklab> method conv2 keep$'
clear_screen
keys 'sel --zz'
wait_for typed '^ranklab> sel --zz$'
keys C-c
wait_for clear-line '\^C$'
wait_for new-prompt '^ranklab>$'
clear_screen
keys Up
wait_for history-recall '^ranklab> method conv2 keep$'
keys C-u 'echo one \' Enter
wait_for continuation '^    \.\.\.>$'
keys 'two' Enter
wait_for continued '^one two$'

clear_screen
keys 'rank conv3..conv7 x=2' Enter
wait_for ranks ' to solve$'
keys 'solve' Enter
wait_for progress 'solving\|sampling'
keys C-c
wait_for interrupted 'interrupted; nothing was changed'
clear_screen
keys 'assert conv3.state == chosen; ec fine' Enter
wait_for unchanged '^fine$'
clear_screen
keys 'rank conv9 3' Enter
wait_for error 'did you mean conv7?'
t resize-window -x 60 -y 12 2>/dev/null
keys 'echo resized' Enter
wait_for resized '^resized$'
keys C-d
wait_for exit '^status=0$'

if grep -q '^method conv2 keep$' "$work/.local/state/ranklab/history" &&
    [ "$(stat -c %a "$work/.local/state/ranklab/history")" = 600 ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "FAIL history-file"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
