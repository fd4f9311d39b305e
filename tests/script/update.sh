#!/bin/sh
# Writes NAME.out anew from what the program prints now; look at the difference before it is
# committed. usage: update.sh [RANKLAB [NAME...]]
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] && shift
names=$*
[ -n "$names" ] || names=$(cd "$here" && ls ./*.rl | sed 's|^\./||; s|\.rl$||')
for name in $names; do
    run_script "$name" >"$work/raw"
    clean <"$work/raw" >"$here/$name.out"
done
