# The penalty: 25 iterations at 0.01 and 25 at 1 against 50 at 1, 50 at 0.01 and 50 at 100.
# Ranks for 4x, nonlinear, asymmetric.

select --speedup 4
set iterations 25,25; set lambda 0.01,1
solve all; error > two-stages.json; run images.npy two-stages.npy
set iterations 0,50; set lambda 0.01,1
solve all; error > only-1.json; run images.npy only-1.npy
set iterations 50,0; set lambda 0.01,1
solve all; error > only-0.01.json; run images.npy only-0.01.npy
set iterations 0,50; set lambda 0.01,100
solve all; error > only-100.json; run images.npy only-100.npy
