# The whole network at 2x to 5x by every method, ranks by the rule energy. Fully connected
# layers stay whole.

run images.npy original.npy --original

# nonlinear, asymmetric: the method of the paper
method all relu; try method fc* keep
select --speedup 2; layers > layers-relu-2.json
solve --mode asym; error > relu-2.json; run images.npy relu-2.npy
select --speedup 3; layers > layers-relu-3.json
solve --mode asym; error > relu-3.json; run images.npy relu-3.npy
select --speedup 4; layers > layers-relu-4.json
solve --mode asym; error > relu-4.json; run images.npy relu-4.npy
eval > eval-relu-4.json
plot propagation --to propagation-4.svg
select --speedup 5; layers > layers-relu-5.json
solve --mode asym; error > relu-5.json; run images.npy relu-5.npy

# k x 1, 1 x k and fewer channels, nonlinear, asymmetric
method all 3d; try method fc* keep
select --speedup 2; layers > layers-3d-2.json
solve --mode asym; error > 3d-2.json; run images.npy 3d-2.npy
select --speedup 3; layers > layers-3d-3.json
solve --mode asym; error > 3d-3.json; run images.npy 3d-3.npy
select --speedup 4; layers > layers-3d-4.json
solve --mode asym; error > 3d-4.json; run images.npy 3d-4.npy
select --speedup 5; layers > layers-3d-5.json
solve --mode asym; error > 3d-5.json; run images.npy 3d-5.npy

# linear, symmetric
method all pca; try method fc* keep
select --speedup 2; layers > layers-pca-sym-2.json
solve --mode sym; error > pca-sym-2.json; run images.npy pca-sym-2.npy
select --speedup 3; layers > layers-pca-sym-3.json
solve --mode sym; error > pca-sym-3.json; run images.npy pca-sym-3.npy
select --speedup 4; layers > layers-pca-sym-4.json
solve --mode sym; error > pca-sym-4.json; run images.npy pca-sym-4.npy
select --speedup 5; layers > layers-pca-sym-5.json
solve --mode sym; error > pca-sym-5.json; run images.npy pca-sym-5.npy

# k x 1 and 1 x k by reconstruction of the filters
method all spatial; try method fc* keep
select --speedup 2; layers > layers-spatial-2.json
solve --mode asym; error > spatial-2.json; run images.npy spatial-2.npy
select --speedup 3; layers > layers-spatial-3.json
solve --mode asym; error > spatial-3.json; run images.npy spatial-3.npy
select --speedup 4; layers > layers-spatial-4.json
solve --mode asym; error > spatial-4.json; run images.npy spatial-4.npy
select --speedup 5; layers > layers-spatial-5.json
solve --mode asym; error > spatial-5.json; run images.npy spatial-5.npy

# the same, the second refitted to the responses
method all spatial-refit; try method fc* keep
select --speedup 2; layers > layers-spatial-refit-2.json
solve --mode asym; error > spatial-refit-2.json; run images.npy spatial-refit-2.npy
select --speedup 3; layers > layers-spatial-refit-3.json
solve --mode asym; error > spatial-refit-3.json; run images.npy spatial-refit-3.npy
select --speedup 4; layers > layers-spatial-refit-4.json
solve --mode asym; error > spatial-refit-4.json; run images.npy spatial-refit-4.npy
select --speedup 5; layers > layers-spatial-refit-5.json
solve --mode asym; error > spatial-refit-5.json; run images.npy spatial-refit-5.npy

# truncated SVD of the filters
method all svd; try method fc* keep
select --speedup 2; layers > layers-svd-2.json
solve --mode asym; error > svd-2.json; run images.npy svd-2.npy
select --speedup 3; layers > layers-svd-3.json
solve --mode asym; error > svd-3.json; run images.npy svd-3.npy
select --speedup 4; layers > layers-svd-4.json
solve --mode asym; error > svd-4.json; run images.npy svd-4.npy
select --speedup 5; layers > layers-svd-5.json
solve --mode asym; error > svd-5.json; run images.npy svd-5.npy
