# How many calibration images are enough: ranks for 4x chosen once from all 3,000, solved with
# fewer, drawn twice.

select --speedup 4
solve; run images.npy 3000-1.npy
data calib @fashion --count 1000 --seed 1
solve all; run images.npy 1000-1.npy
data calib @fashion --count 1000 --seed 2
solve all; run images.npy 1000-2.npy
data calib @fashion --count 300 --seed 1
solve all; run images.npy 300-1.npy
data calib @fashion --count 300 --seed 2
solve all; run images.npy 300-2.npy
data calib @fashion --count 100 --seed 1
solve all; run images.npy 100-1.npy
data calib @fashion --count 100 --seed 2
solve all; run images.npy 100-2.npy
