#!/bin/bash
# Terminals of 256, 16 and 8 colours and without any, on dark and light backgrounds: the panes
# start, draw and quit, and what they draw can be read. usage: colors.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"

# Looks at the attributes of every cell in the file seen: a colour may only be one of the text,
# never of the background, so that nothing of the terminal's own stands on a colour; and of 256
# colours it must stand out from black and from white. Prints what is wrong, then how many
# colours there are.
cat >look.awk <<'EOF'
function linear(x) { x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ^ 2.4 }
function level(i) { return i ? 55 + 40 * i : 0 }
function is_legible(n, r, g, b, light)
{
    if (n < 16)
        return n == 1 || n == 2 || n == 5
    if (n >= 232)
        r = g = b = 8 + 10 * (n - 232)
    else {
        r = level(int((n - 16) / 36))
        g = level(int((n - 16) / 6) % 6)
        b = level((n - 16) % 6)
    }
    light = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    return 1.05 / (light + 0.05) >= 3 && (light + 0.05) / 0.05 >= 3
}
function use(n)
{
    if (n in used)
        return
    used[n] = 1
    n_used++
    if (!is_legible(n))
        print "colour " n " is too light or too dark"
}
{
    for (rest = $0; match(rest, /\033\[[0-9;]*m/); rest = substr(rest, RSTART + RLENGTH)) {
        k = split(substr(rest, RSTART + 2, RLENGTH - 3), part, ";")
        for (i = 1; i <= k; i++) {
            if (part[i] == 38 && part[i + 1] == 5) {
                use(part[i + 2])
                i += 2
            } else if (part[i] >= 30 && part[i] <= 37)
                use(part[i] - 30)
            else if (part[i] >= 90 && part[i] <= 97)
                use(part[i] - 82)
            else if ((part[i] >= 40 && part[i] <= 48) || (part[i] >= 100 && part[i] <= 107))
                print "a background: " part[i]
        }
    }
}
END { print n_used + 0 }
EOF

see()
{
    t capture-pane -pe >>seen
}

# Few systems have an entry with 16 colours.
infocmp -1 xterm 2>/dev/null | sed 's/^xterm[^,]*,/xterm-16color|xterm with 16 colours,/
    s/colors#.*/colors#16,/; s/pairs#.*/pairs#256,/
    s/^\tsetaf=.*/\tsetaf=\\E[%?%p1%{8}%<%t%p1%{30}%+%e%p1%{82}%+%;%dm,/
    s/^\tsetab=.*/\tsetab=\\E[%?%p1%{8}%<%t%p1%{40}%+%e%p1%{92}%+%;%dm,/' >sixteen
mkdir .terminfo
tic -x -o .terminfo sixteen 2>/dev/null

# A variable, the type of the terminal, whether there may be colours.
for case in X=1:xterm-256color:yes X=1:tmux-256color:yes X=1:xterm-16color:yes X=1:xterm:yes \
    X=1:linux:yes X=1:vt100:no NO_COLOR=1:tmux-256color:no 'COLORFGBG=0;15:xterm-256color:yes' \
    'COLORFGBG=0;15:xterm-16color:yes' 'COLORFGBG=0;15:xterm:yes'; do
    term=${case#*:}
    wants=${term#*:}
    term=${term%:*}
    HOME=$work infocmp "$term" >/dev/null 2>&1 || {
        echo "$case: skipped, nothing is known of $term"
        continue
    }
    begin 180 30 "$term"
    case $case in
    COLORFGBG*) t set-option -g window-style 'bg=white,fg=black' ;;
    esac
    rm -f seen
    keys "export '${case%%:*}'; '$ranklab' --no-init -i -e 'open @fashion; data calib @fashion --count 40'" Enter
    wait_for "$case" 'Esc or F6'
    wait_for "$case: predicted" '100\.0 .*0\.34'
    keys 'rank conv1..conv4 50%; solve; rank conv3 x=3; rank nosuch 1' Enter
    wait_for "$case: an error" 'no layer nosuch'
    wait_for "$case: states" '^ *= *conv2.* solved '
    see
    keys F6
    for tab in 2 3 4 5 1; do
        keys "$tab"
        wait_for "$case: tab $tab" "\[$tab [a-z]*\]"
        see
    done
    keys S-Tab Space '?'
    wait_for "$case: help" 'keys .*scroll'
    see
    keys Escape
    wait_for "$case: help is left" '^ layers 9'
    see
    found=$(awk -f look.awk seen)
    { [ $wants = no ] && [ "$found" = 0 ]; } || { [ $wants = yes ] && [ "$found" -gt 0 ] 2>/dev/null; } && ok ||
        fail "$case" "colours: $found"
    grep -q "$(printf '\033')\[[0-9;]*7m" seen && ok || fail "$case" "nothing reversed"
    keys F10
    wait_for "$case: left" 'shell>'
    check "$case: modes" same_modes
done
conclude
