#!/bin/bash
# Random keys and random sizes end with a living program. Keys come from a file, on a screen
# that nobody sees; sizes change in tmux while it works.
# usage: random.sh [RANKLAB [KEYS [SIZES [SEED]]]]
. "$(dirname "$0")/lib.sh"
n_keys=${2:-1200}
n_sizes=${3:-60}
seed=${4:-1}

# F10, ^D and what types quit are left out: no q, no x (exit).
awk -v n="$n_keys" -v seed="$seed" 'BEGIN {
    srand(seed)
    m = split("F1 F2 F3 F4 F5 F6 F7 F8 F9 F11 F12 Up Down Left Right Home End PageUp PageDown Insert" \
        " Delete Enter Esc Tab Backspace S-Tab S-Left S-Right M-f M-b M-? M-. M-5 M-d C-a C-b C-e" \
        " C-f C-g C-h C-j C-k C-l C-n C-o C-p C-q C-r C-s C-t C-u C-v C-w C-x C-y C-_ C-r C-x", key, " ")
    c = split("abcdefghijklmnoprstuvwyz:/?>[]{}()-+= 0123456789,.@*\"#;\\|éö作", char, "")
    printf "<nowait>"
    for (i = 0; i < n; i++) {
        r = rand()
        if (r < 0.5) printf "%s", char[1 + int(rand() * c)]
        else if (r < 0.965) printf "<%s>", key[1 + int(rand() * m)]
        else if (r < 0.98) printf "<paste pasted\\nwörld>"
        else printf "<size %dx%d>", 1 + int(rand() * 200), 1 + int(rand() * 60)
        if (rand() < 0.002) printf "<C-c>"
        if (rand() < 0.02) printf "<sleep 4>"
        if (i % 60 == 0) printf "\n"
    }
    # Afterwards everything still works.
    printf "\n<wait><C-c><size 100x30><Esc><Esc><C-c><F6><F6><dump screen>"
}' >keys
mkdir home
# readline 8.2 loses the list of changes of a line that was edited, left through the history
# and then given up; only where keys are random are its own allocations not looked at.
cat "$root/tests/lsan.supp" >supp
echo leak:libreadline >>supp
if env LSAN_OPTIONS="suppressions=$work/supp:print_suppressions=0" HOME="$work/home" XDG_STATE_HOME="$work/home" RANKLAB_DATA="$RANKLAB_DATA" LC_ALL=C.UTF-8 TERM=xterm-256color \
    ASAN_OPTIONS="detect_leaks=1:log_path=$work/asan" UBSAN_OPTIONS="log_path=$work/asan" \
    timeout 300 "$ranklab" --no-init --safe --size 100x30 --keys keys \
    -i -e 'open @fashion; data calib @fashion --count 200; data eval @fashion --count 200' \
    >out 2>&1 </dev/null; then
    ok
else
    echo "FAIL random keys: status $?"
    tail -n 3 out
    failed=$((failed + 1))
fi
grep -q '^F1 help' screen && ok || {
    echo "FAIL random keys: no living screen"
    cat screen
    failed=$((failed + 1))
}

begin 100 30
keys "'$ranklab' --no-init" Enter
wait_for start 'convolutions can be approximated'
keys 'rank all x=3; solve all; solve all; solve all; solve all; solve all' Enter
wait_for working '\(sampling\|solving\).*^C stops'
i=0
while [ $i -lt "$n_sizes" ]; do
    # A sequence of its own from the seed.
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    t resize-window -x $((1 + seed / 65536 % 200)) -y $((1 + seed / 256 % 60))
    i=$((i + 1))
done
t resize-window -x 100 -y 30
wait_for "alive after $n_sizes sizes" 'layers [0-9].*1 plot'
keys C-c
wait_gone "the end of the work" '\^C stops'
keys 'echo al' 'ive' Enter
wait_for "the prompt works" '^alive$'
keys C-d
wait_for left '^shell>'
check "modes" same_modes
conclude
