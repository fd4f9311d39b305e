#!/bin/bash
# Measures, and is no test: the time from a key to the changed screen while solve runs (100
# keys, tmux's own share included), the time ^C takes, and the CPU time of 10 idle seconds.
# usage: latency.sh [RANKLAB]
. "$(dirname "$0")/lib.sh"
us()
{
    echo $(($(date +%s%N) / 1000))
}
begin 100 30
keys "'$ranklab' --no-init" Enter
wait_for start '100\.0 .*0\.34'
keys 'rank all x=3; solve all; solve all; solve all; solve all; solve all; solve all; solve all; solve all' Enter
wait_for working '\(sampling\|solving\).*^C stops'
keys F6
sleep 0.3
i=0
: >times
while [ $i -lt 100 ]; do
    key=Down
    [ $((i / 6 % 2)) = 1 ] && key=Up
    before=$(screen | grep '^>')
    start=$(us)
    keys $key
    until [ "$(screen | grep '^>')" != "$before" ]; do :; done
    echo $(($(us) - start)) >>times
    i=$((i + 1))
done
screen | grep -q '\^C stops' || echo "the work was over before the keys"
sort -n times | awk '{ t[NR] = $1 } END { printf "keys: median %.1f ms, 95th percentile %.1f ms, largest %.1f ms of %d\n",
    t[int(NR / 2)] / 1000, t[int(NR * 0.95)] / 1000, t[NR] / 1000, NR }'
start=$(us)
keys C-c
until screen | grep -q 'interrupted; nothing'; do :; done
echo "^C: $((($(us) - start) / 1000)) ms"
pid=$(pid_of)
sleep 1
before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
sleep 10
echo "idle: $(($(awk '{ print $14 + $15 }' "/proc/$pid/stat") - before)) ticks of CPU time in 10 s"
