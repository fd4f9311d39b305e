# single.rl for the layers that only the residual network has.

method 8 pca
rank 8 x=2; solve 8; error > pca-8-2.json; run images.npy pca-8-2.npy
rank 8 x=3; solve 8; error > pca-8-3.json; run images.npy pca-8-3.npy
rank 8 x=4; solve 8; error > pca-8-4.json; run images.npy pca-8-4.npy
rank 8 x=5; solve 8; error > pca-8-5.json; run images.npy pca-8-5.npy
method 8 relu
rank 8 x=2; solve 8; error > relu-8-2.json; run images.npy relu-8-2.npy
rank 8 x=3; solve 8; error > relu-8-3.json; run images.npy relu-8-3.npy
rank 8 x=4; solve 8; error > relu-8-4.json; run images.npy relu-8-4.npy
rank 8 x=5; solve 8; error > relu-8-5.json; run images.npy relu-8-5.npy
rank 8 full

method 9 pca
rank 9 x=2; solve 9; error > pca-9-2.json; run images.npy pca-9-2.npy
rank 9 x=3; solve 9; error > pca-9-3.json; run images.npy pca-9-3.npy
rank 9 x=4; solve 9; error > pca-9-4.json; run images.npy pca-9-4.npy
rank 9 x=5; solve 9; error > pca-9-5.json; run images.npy pca-9-5.npy
method 9 relu
rank 9 x=2; solve 9; error > relu-9-2.json; run images.npy relu-9-2.npy
rank 9 x=3; solve 9; error > relu-9-3.json; run images.npy relu-9-3.npy
rank 9 x=4; solve 9; error > relu-9-4.json; run images.npy relu-9-4.npy
rank 9 x=5; solve 9; error > relu-9-5.json; run images.npy relu-9-5.npy
rank 9 full

method 10 pca
rank 10 x=2; solve 10; error > pca-10-2.json; run images.npy pca-10-2.npy
rank 10 x=3; solve 10; error > pca-10-3.json; run images.npy pca-10-3.npy
rank 10 x=4; solve 10; error > pca-10-4.json; run images.npy pca-10-4.npy
rank 10 x=5; solve 10; error > pca-10-5.json; run images.npy pca-10-5.npy
method 10 relu
rank 10 x=2; solve 10; error > relu-10-2.json; run images.npy relu-10-2.npy
rank 10 x=3; solve 10; error > relu-10-3.json; run images.npy relu-10-3.npy
rank 10 x=4; solve 10; error > relu-10-4.json; run images.npy relu-10-4.npy
rank 10 x=5; solve 10; error > relu-10-5.json; run images.npy relu-10-5.npy
rank 10 full
