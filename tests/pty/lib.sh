# Shared by the tests of the panes: a terminal of tmux with a shell in it, and waits for text
# with a deadline. Source it with $1 naming the program.
root=$(cd "$(dirname "$0")/../.." && pwd)
ranklab=${1:-${RANKLAB:-./ranklab}}
case $ranklab in
/*) ;;
*) ranklab=$PWD/$ranklab ;;
esac
if ! command -v tmux >/dev/null 2>&1; then
    echo "$0: skipped, there is no tmux"
    exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/ranklab-pty.XXXXXX") || exit 2
socket=$work/tmux
n_begun=0
passed=0
failed=0
: "${RANKLAB_DATA:=$root/data}"
LSAN_OPTIONS="suppressions='$root/tests/lsan.supp':print_suppressions=0"
export LSAN_OPTIONS
cd "$work" || exit 2

t()
{
    tmux -S "$socket" -f /dev/null "$@"
}

finish()
{
    t kill-server 2>/dev/null
    cd /
    sleep 0.2
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

screen()
{
    t capture-pane -p 2>/dev/null
}

ok()
{
    passed=$((passed + 1))
}

fail()
{
    failed=$((failed + 1))
    echo "FAIL $1: $2"
    screen | sed 's/^/    /' | grep -v '^ *$' | tail -32
    [ $failed -lt 3 ] || conclude || exit 1
}

# wait_for NAME PATTERN: until a line of the screen matches; 20 s at most. What needs it has
# failed as well by then, so a third failure ends the test.
wait_for()
{
    end=$(($(ms) + 20000))
    while [ "$(ms)" -lt $end ]; do
        if screen | grep -q -e "$2"; then
            ok
            return 0
        fi
        sleep 0.05
    done
    fail "$1" "no '$2' on the screen:"
    return 1
}

# wait_gone NAME PATTERN: until no line matches.
wait_gone()
{
    end=$(($(ms) + 20000))
    while [ "$(ms)" -lt $end ]; do
        if ! screen | grep -q -e "$2"; then
            ok
            return 0
        fi
        sleep 0.05
    done
    fail "$1" "still '$2' on the screen:"
    return 1
}

# check NAME COMMAND...: the command succeeds, at once or within 5 s.
check()
{
    name=$1
    shift
    n=0
    while [ $n -lt 100 ]; do
        if "$@"; then
            ok
            return 0
        fi
        n=$((n + 1))
        sleep 0.05
    done
    fail "$name" "failed: $*"
    return 1
}

keys()
{
    t send-keys "$@"
}

is_alternate()
{
    [ "$(t display-message -p '#{alternate_on}')" = "$1" ]
}

# The state of the terminal, as the shell in it sees it, is the one before.
same_modes()
{
    rm -f now
    keys "stty -g >now; echo checked" Enter
    n=0
    until [ -s now ] || [ $n -gt 100 ]; do
        n=$((n + 1))
        sleep 0.05
    done
    cmp -s before now
}

# begin WIDTH HEIGHT [TERM]: a shell with job control; its terminal's state is kept in before.
begin()
{
    t kill-server 2>/dev/null
    n_begun=$((n_begun + 1))
    socket=$work/tmux$n_begun # the old server may still be leaving
    rm -f before
    t new-session -d -x "$1" -y "$2" "env -u NO_COLOR -u INPUTRC -u XDG_STATE_HOME -u XDG_CACHE_HOME \
        -u XDG_CONFIG_HOME -u DISPLAY HOME='$work' LC_ALL=C.UTF-8 TERM='${3:-tmux-256color}' \
        PS1='shell> ' RANKLAB_DATA='$RANKLAB_DATA' OMP_WAIT_POLICY=passive \
        ASAN_OPTIONS='handle_segv=0:detect_leaks=1:log_path=$work/asan' \
        LSAN_OPTIONS=\"$LSAN_OPTIONS\" bash --norc --noprofile -i" ||
        exit 2
    t set-option -g status off
    t set-option -g escape-time 0
    wait_for "shell at $1x$2" '^shell>'
    keys "stty -g >before; clear" Enter
    n=0
    until [ -s before ] || [ $n -gt 200 ]; do
        n=$((n + 1))
        sleep 0.05
    done
}

# The process id of the program in the terminal.
pid_of()
{
    pgrep -P "$(t display-message -p '#{pane_pid}')" -x ranklab | head -n 1
}

# Milliseconds since some moment.
ms()
{
    echo $(($(date +%s%N) / 1000000))
}

# The end of every such test.
conclude()
{
    if ls asan* >/dev/null 2>&1; then
        failed=$((failed + 1))
        echo "FAIL sanitizers:"
        head -n 30 asan*
    fi
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
