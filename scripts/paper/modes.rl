# The whole network, ranks for 2x to 5x, nonlinear: symmetric, and the approximated input on
# both sides. methods.rl has the asymmetric solutions at the same ranks.

select --speedup 2; layers > layers-2.json
solve all --mode sym; error > sym-2.json; run images.npy sym-2.npy
solve all --mode symhat; error > symhat-2.json; run images.npy symhat-2.npy
select --speedup 3; layers > layers-3.json
solve all --mode sym; error > sym-3.json; run images.npy sym-3.npy
solve all --mode symhat; error > symhat-3.json; run images.npy symhat-3.npy
select --speedup 4; layers > layers-4.json
solve all --mode sym; error > sym-4.json; run images.npy sym-4.npy
solve all --mode symhat; error > symhat-4.json; run images.npy symhat-4.npy
select --speedup 5; layers > layers-5.json
solve all --mode sym; error > sym-5.json; run images.npy sym-5.npy
solve all --mode symhat; error > symhat-5.json; run images.npy symhat-5.npy
