# args --safe --ascii -q
# Without another program: text only, by the built-in plot.
open @fashion
data calib @fashion --count 200
set plot-terminal builtin
plot energy conv3 --script energy.gp --width 60
try plot energy conv3 --to energy.svg
try plot energy conv3 --to window
try plot energy conv3 --to energy.gif
try plot error
try plot energy conv3 --width 5
try plot rank
try plot accuracy conv3
try plot tradeoff
try plot tradeoff --against ms
data eval @fashion --count 20
eval
try plot tradeoff --against ms
try plot tradeoff --against s
