# Two and three layers at the end of the network, each at 2x to 5x: asymmetric, symmetric,
# and the approximated input on both sides.

rank 6,7 x=2
solve 6,7 --mode asym; error > two-asym-2.json; run images.npy two-asym-2.npy
solve 6,7 --mode sym; error > two-sym-2.json; run images.npy two-sym-2.npy
solve 6,7 --mode symhat; error > two-symhat-2.json; run images.npy two-symhat-2.npy
rank 6,7 x=3
solve 6,7 --mode asym; error > two-asym-3.json; run images.npy two-asym-3.npy
solve 6,7 --mode sym; error > two-sym-3.json; run images.npy two-sym-3.npy
solve 6,7 --mode symhat; error > two-symhat-3.json; run images.npy two-symhat-3.npy
rank 6,7 x=4
solve 6,7 --mode asym; error > two-asym-4.json; run images.npy two-asym-4.npy
solve 6,7 --mode sym; error > two-sym-4.json; run images.npy two-sym-4.npy
solve 6,7 --mode symhat; error > two-symhat-4.json; run images.npy two-symhat-4.npy
rank 6,7 x=5
solve 6,7 --mode asym; error > two-asym-5.json; run images.npy two-asym-5.npy
solve 6,7 --mode sym; error > two-sym-5.json; run images.npy two-sym-5.npy
solve 6,7 --mode symhat; error > two-symhat-5.json; run images.npy two-symhat-5.npy
rank 6,7 full

rank 5..7 x=2
solve 5..7 --mode asym; error > three-asym-2.json; run images.npy three-asym-2.npy
solve 5..7 --mode sym; error > three-sym-2.json; run images.npy three-sym-2.npy
solve 5..7 --mode symhat; error > three-symhat-2.json; run images.npy three-symhat-2.npy
rank 5..7 x=3
solve 5..7 --mode asym; error > three-asym-3.json; run images.npy three-asym-3.npy
solve 5..7 --mode sym; error > three-sym-3.json; run images.npy three-sym-3.npy
solve 5..7 --mode symhat; error > three-symhat-3.json; run images.npy three-symhat-3.npy
rank 5..7 x=4
solve 5..7 --mode asym; error > three-asym-4.json; run images.npy three-asym-4.npy
solve 5..7 --mode sym; error > three-sym-4.json; run images.npy three-sym-4.npy
solve 5..7 --mode symhat; error > three-symhat-4.json; run images.npy three-symhat-4.npy
rank 5..7 x=5
solve 5..7 --mode asym; error > three-asym-5.json; run images.npy three-asym-5.npy
solve 5..7 --mode sym; error > three-sym-5.json; run images.npy three-sym-5.npy
solve 5..7 --mode symhat; error > three-symhat-5.json; run images.npy three-symhat-5.npy
rank 5..7 full
