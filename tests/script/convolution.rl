# Winograd's method gives the same answers, and what was measured otherwise is not taken for it
open @fashion
rank conv2 x=4
solve
eval --count 500
eval --count 500
set convolution winograd
show convolution
eval --count 500
eval --count 500
set convolution direct
eval --count 500
