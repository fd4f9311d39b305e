# Two and three 3x3 layers at the end of the network, each at 2x to 5x: asymmetric,
# symmetric, and the approximated input on both sides. Numbers 7 and 10 are 1x1 shortcuts.

rank 8,9 x=2
solve 8,9 --mode asym; error > two-asym-2.json; run images.npy two-asym-2.npy
solve 8,9 --mode sym; error > two-sym-2.json; run images.npy two-sym-2.npy
solve 8,9 --mode symhat; error > two-symhat-2.json; run images.npy two-symhat-2.npy
rank 8,9 x=3
solve 8,9 --mode asym; error > two-asym-3.json; run images.npy two-asym-3.npy
solve 8,9 --mode sym; error > two-sym-3.json; run images.npy two-sym-3.npy
solve 8,9 --mode symhat; error > two-symhat-3.json; run images.npy two-symhat-3.npy
rank 8,9 x=4
solve 8,9 --mode asym; error > two-asym-4.json; run images.npy two-asym-4.npy
solve 8,9 --mode sym; error > two-sym-4.json; run images.npy two-sym-4.npy
solve 8,9 --mode symhat; error > two-symhat-4.json; run images.npy two-symhat-4.npy
rank 8,9 x=5
solve 8,9 --mode asym; error > two-asym-5.json; run images.npy two-asym-5.npy
solve 8,9 --mode sym; error > two-sym-5.json; run images.npy two-sym-5.npy
solve 8,9 --mode symhat; error > two-symhat-5.json; run images.npy two-symhat-5.npy
rank 8,9 full

rank 6,8,9 x=2
solve 6,8,9 --mode asym; error > three-asym-2.json; run images.npy three-asym-2.npy
solve 6,8,9 --mode sym; error > three-sym-2.json; run images.npy three-sym-2.npy
solve 6,8,9 --mode symhat; error > three-symhat-2.json; run images.npy three-symhat-2.npy
rank 6,8,9 x=3
solve 6,8,9 --mode asym; error > three-asym-3.json; run images.npy three-asym-3.npy
solve 6,8,9 --mode sym; error > three-sym-3.json; run images.npy three-sym-3.npy
solve 6,8,9 --mode symhat; error > three-symhat-3.json; run images.npy three-symhat-3.npy
rank 6,8,9 x=4
solve 6,8,9 --mode asym; error > three-asym-4.json; run images.npy three-asym-4.npy
solve 6,8,9 --mode sym; error > three-sym-4.json; run images.npy three-sym-4.npy
solve 6,8,9 --mode symhat; error > three-symhat-4.json; run images.npy three-symhat-4.npy
rank 6,8,9 x=5
solve 6,8,9 --mode asym; error > three-asym-5.json; run images.npy three-asym-5.npy
solve 6,8,9 --mode sym; error > three-sym-5.json; run images.npy three-sym-5.npy
solve 6,8,9 --mode symhat; error > three-symhat-5.json; run images.npy three-symhat-5.npy
rank 6,8,9 full
