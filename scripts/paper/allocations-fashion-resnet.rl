# Twenty allocations of equal cost (4x), drawn at random: each layer's share of its
# break-even rank is the square of a number from 0.35..1, then all are scaled to the budget.
# Nonlinear, asymmetric. layers-N.json has the energy of each layer.

select --speedup 4; layers > layers-0.json
solve; run images.npy 0.npy

rank 1 2; rank 2 7; rank 3 8; rank 4 10; rank 5 5; rank 6 13; rank 7 7; rank 8 27; rank 9 18; rank 10 3
layers > layers-1.json; solve; run images.npy 1.npy

rank 1 1; rank 2 12; rank 3 2; rank 4 3; rank 5 20; rank 6 9; rank 7 2; rank 8 10; rank 9 32; rank 10 5
layers > layers-2.json; solve; run images.npy 2.npy

rank 1 1; rank 2 11; rank 3 13; rank 4 8; rank 5 5; rank 6 19; rank 7 1; rank 8 8; rank 9 12; rank 10 15
layers > layers-3.json; solve; run images.npy 3.npy

rank 1 2; rank 2 5; rank 3 3; rank 4 10; rank 5 16; rank 6 13; rank 7 2; rank 8 28; rank 9 25; rank 10 9
layers > layers-4.json; solve; run images.npy 4.npy

rank 1 1; rank 2 11; rank 3 9; rank 4 7; rank 5 21; rank 6 12; rank 7 2; rank 8 6; rank 9 20; rank 10 7
layers > layers-5.json; solve; run images.npy 5.npy

rank 1 1; rank 2 11; rank 3 2; rank 4 9; rank 5 5; rank 6 13; rank 7 3; rank 8 7; rank 9 32; rank 10 3
layers > layers-6.json; solve; run images.npy 6.npy

rank 1 1; rank 2 5; rank 3 17; rank 4 8; rank 5 7; rank 6 7; rank 7 5; rank 8 37; rank 9 11; rank 10 5
layers > layers-7.json; solve; run images.npy 7.npy

rank 1 1; rank 2 8; rank 3 12; rank 4 8; rank 5 11; rank 6 3; rank 7 2; rank 8 25; rank 9 17; rank 10 16
layers > layers-8.json; solve; run images.npy 8.npy

rank 1 3; rank 2 5; rank 3 6; rank 4 5; rank 5 20; rank 6 6; rank 7 3; rank 8 42; rank 9 18; rank 10 22
layers > layers-9.json; solve; run images.npy 9.npy

rank 1 1; rank 2 12; rank 3 8; rank 4 2; rank 5 6; rank 6 20; rank 7 1; rank 8 35; rank 9 5; rank 10 12
layers > layers-10.json; solve; run images.npy 10.npy

rank 1 1; rank 2 5; rank 3 7; rank 4 7; rank 5 8; rank 6 7; rank 7 1; rank 8 23; rank 9 35; rank 10 6
layers > layers-11.json; solve; run images.npy 11.npy

rank 1 6; rank 2 11; rank 3 8; rank 4 5; rank 5 12; rank 6 11; rank 7 20; rank 8 13; rank 9 18; rank 10 11
layers > layers-12.json; solve; run images.npy 12.npy

rank 1 1; rank 2 13; rank 3 2; rank 4 11; rank 5 10; rank 6 7; rank 7 3; rank 8 24; rank 9 13; rank 10 8
layers > layers-13.json; solve; run images.npy 13.npy

rank 1 1; rank 2 8; rank 3 10; rank 4 4; rank 5 16; rank 6 21; rank 7 3; rank 8 33; rank 9 7; rank 10 9
layers > layers-14.json; solve; run images.npy 14.npy

rank 1 1; rank 2 2; rank 3 8; rank 4 10; rank 5 10; rank 6 9; rank 7 8; rank 8 38; rank 9 23; rank 10 9
layers > layers-15.json; solve; run images.npy 15.npy

rank 1 1; rank 2 9; rank 3 8; rank 4 7; rank 5 18; rank 6 19; rank 7 6; rank 8 19; rank 9 14; rank 10 4
layers > layers-16.json; solve; run images.npy 16.npy

rank 1 1; rank 2 4; rank 3 6; rank 4 3; rank 5 23; rank 6 5; rank 7 9; rank 8 21; rank 9 39; rank 10 16
layers > layers-17.json; solve; run images.npy 17.npy

rank 1 1; rank 2 6; rank 3 20; rank 4 12; rank 5 6; rank 6 11; rank 7 2; rank 8 18; rank 9 10; rank 10 3
layers > layers-18.json; solve; run images.npy 18.npy

rank 1 1; rank 2 6; rank 3 9; rank 4 6; rank 5 16; rank 6 17; rank 7 2; rank 8 26; rank 9 19; rank 10 7
layers > layers-19.json; solve; run images.npy 19.npy

rank 1 4; rank 2 8; rank 3 12; rank 4 14; rank 5 15; rank 6 7; rank 7 3; rank 8 15; rank 9 12; rank 10 9
layers > layers-20.json; solve; run images.npy 20.npy
