# One layer alone at 2x to 5x, all others whole: the linear and the nonlinear solution at the
# same ranks. The error files hold both errors on images that the solver did not see.

run images.npy original.npy --original
run images.npy whole.npy

method 1 pca
rank 1 x=2; solve 1; error > pca-1-2.json; run images.npy pca-1-2.npy
rank 1 x=3; solve 1; error > pca-1-3.json; run images.npy pca-1-3.npy
rank 1 x=4; solve 1; error > pca-1-4.json; run images.npy pca-1-4.npy
rank 1 x=5; solve 1; error > pca-1-5.json; run images.npy pca-1-5.npy
method 1 relu
rank 1 x=2; solve 1; error > relu-1-2.json; run images.npy relu-1-2.npy
rank 1 x=3; solve 1; error > relu-1-3.json; run images.npy relu-1-3.npy
rank 1 x=4; solve 1; error > relu-1-4.json; run images.npy relu-1-4.npy
rank 1 x=5; solve 1; error > relu-1-5.json; run images.npy relu-1-5.npy
rank 1 x=1.8; solve 1; error > relu-1-1.8.json; run images.npy relu-1-1.8.npy
rank 1 full

method 2 pca
rank 2 x=2; solve 2; error > pca-2-2.json; run images.npy pca-2-2.npy
rank 2 x=3; solve 2; error > pca-2-3.json; run images.npy pca-2-3.npy
rank 2 x=4; solve 2; error > pca-2-4.json; run images.npy pca-2-4.npy
rank 2 x=5; solve 2; error > pca-2-5.json; run images.npy pca-2-5.npy
method 2 relu
rank 2 x=2; solve 2; error > relu-2-2.json; run images.npy relu-2-2.npy
rank 2 x=3; solve 2; error > relu-2-3.json; run images.npy relu-2-3.npy
rank 2 x=4; solve 2; error > relu-2-4.json; run images.npy relu-2-4.npy
rank 2 x=5; solve 2; error > relu-2-5.json; run images.npy relu-2-5.npy
rank 2 full

method 3 pca
rank 3 x=2; solve 3; error > pca-3-2.json; run images.npy pca-3-2.npy
rank 3 x=3; solve 3; error > pca-3-3.json; run images.npy pca-3-3.npy
rank 3 x=4; solve 3; error > pca-3-4.json; run images.npy pca-3-4.npy
rank 3 x=5; solve 3; error > pca-3-5.json; run images.npy pca-3-5.npy
method 3 relu
rank 3 x=2; solve 3; error > relu-3-2.json; run images.npy relu-3-2.npy
rank 3 x=3; solve 3; error > relu-3-3.json; run images.npy relu-3-3.npy
rank 3 x=4; solve 3; error > relu-3-4.json; run images.npy relu-3-4.npy
rank 3 x=5; solve 3; error > relu-3-5.json; run images.npy relu-3-5.npy
rank 3 full

method 4 pca
rank 4 x=2; solve 4; error > pca-4-2.json; run images.npy pca-4-2.npy
rank 4 x=3; solve 4; error > pca-4-3.json; run images.npy pca-4-3.npy
rank 4 x=4; solve 4; error > pca-4-4.json; run images.npy pca-4-4.npy
rank 4 x=5; solve 4; error > pca-4-5.json; run images.npy pca-4-5.npy
method 4 relu
rank 4 x=2; solve 4; error > relu-4-2.json; run images.npy relu-4-2.npy
rank 4 x=3; solve 4; error > relu-4-3.json; run images.npy relu-4-3.npy
rank 4 x=4; solve 4; error > relu-4-4.json; run images.npy relu-4-4.npy
rank 4 x=5; solve 4; error > relu-4-5.json; run images.npy relu-4-5.npy
rank 4 full

method 5 pca
rank 5 x=2; solve 5; error > pca-5-2.json; run images.npy pca-5-2.npy
rank 5 x=3; solve 5; error > pca-5-3.json; run images.npy pca-5-3.npy
rank 5 x=4; solve 5; error > pca-5-4.json; run images.npy pca-5-4.npy
rank 5 x=5; solve 5; error > pca-5-5.json; run images.npy pca-5-5.npy
method 5 relu
rank 5 x=2; solve 5; error > relu-5-2.json; run images.npy relu-5-2.npy
rank 5 x=3; solve 5; error > relu-5-3.json; run images.npy relu-5-3.npy
rank 5 x=4; solve 5; error > relu-5-4.json; run images.npy relu-5-4.npy
rank 5 x=5; solve 5; error > relu-5-5.json; run images.npy relu-5-5.npy
rank 5 full

method 6 pca
rank 6 x=2; solve 6; error > pca-6-2.json; run images.npy pca-6-2.npy
rank 6 x=3; solve 6; error > pca-6-3.json; run images.npy pca-6-3.npy
rank 6 x=4; solve 6; error > pca-6-4.json; run images.npy pca-6-4.npy
rank 6 x=5; solve 6; error > pca-6-5.json; run images.npy pca-6-5.npy
method 6 relu
rank 6 x=2; solve 6; error > relu-6-2.json; run images.npy relu-6-2.npy
rank 6 x=3; solve 6; error > relu-6-3.json; run images.npy relu-6-3.npy
rank 6 x=4; solve 6; error > relu-6-4.json; run images.npy relu-6-4.npy
rank 6 x=5; solve 6; error > relu-6-5.json; run images.npy relu-6-5.npy
rank 6 full

method 7 pca
rank 7 x=2; solve 7; error > pca-7-2.json; run images.npy pca-7-2.npy
rank 7 x=3; solve 7; error > pca-7-3.json; run images.npy pca-7-3.npy
rank 7 x=4; solve 7; error > pca-7-4.json; run images.npy pca-7-4.npy
rank 7 x=5; solve 7; error > pca-7-5.json; run images.npy pca-7-5.npy
method 7 relu
rank 7 x=2; solve 7; error > relu-7-2.json; run images.npy relu-7-2.npy
rank 7 x=3; solve 7; error > relu-7-3.json; run images.npy relu-7-3.npy
rank 7 x=4; solve 7; error > relu-7-4.json; run images.npy relu-7-4.npy
rank 7 x=5; solve 7; error > relu-7-5.json; run images.npy relu-7-5.npy
rank 7 full
