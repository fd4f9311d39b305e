# Twenty allocations of equal cost (4x), drawn at random: each layer's share of its
# break-even rank is the square of a number from 0.35..1, then all are scaled to the budget.
# Nonlinear, asymmetric. layers-N.json has the energy of each layer.

select --speedup 4; layers > layers-0.json
solve; run images.npy 0.npy

rank 1 2; rank 2 10; rank 3 17; rank 4 23; rank 5 10; rank 6 24; rank 7 37
layers > layers-1.json; solve; run images.npy 1.npy

rank 1 3; rank 2 13; rank 3 8; rank 4 17; rank 5 66; rank 6 12; rank 7 22
layers > layers-2.json; solve; run images.npy 2.npy

rank 1 4; rank 2 11; rank 3 10; rank 4 14; rank 5 62; rank 6 23; rank 7 29
layers > layers-3.json; solve; run images.npy 3.npy

rank 1 2; rank 2 20; rank 3 18; rank 4 7; rank 5 35; rank 6 10; rank 7 12
layers > layers-4.json; solve; run images.npy 4.npy

rank 1 1; rank 2 16; rank 3 11; rank 4 27; rank 5 13; rank 6 12; rank 7 9
layers > layers-5.json; solve; run images.npy 5.npy

rank 1 2; rank 2 19; rank 3 8; rank 4 10; rank 5 7; rank 6 37; rank 7 18
layers > layers-6.json; solve; run images.npy 6.npy

rank 1 1; rank 2 13; rank 3 18; rank 4 14; rank 5 11; rank 6 34; rank 7 29
layers > layers-7.json; solve; run images.npy 7.npy

rank 1 1; rank 2 3; rank 3 25; rank 4 25; rank 5 29; rank 6 48; rank 7 25
layers > layers-8.json; solve; run images.npy 8.npy

rank 1 1; rank 2 3; rank 3 19; rank 4 17; rank 5 22; rank 6 58; rank 7 47
layers > layers-9.json; solve; run images.npy 9.npy

rank 1 1; rank 2 14; rank 3 3; rank 4 17; rank 5 13; rank 6 31; rank 7 42
layers > layers-10.json; solve; run images.npy 10.npy

rank 1 1; rank 2 16; rank 3 5; rank 4 23; rank 5 10; rank 6 25; rank 7 19
layers > layers-11.json; solve; run images.npy 11.npy

rank 1 1; rank 2 18; rank 3 6; rank 4 11; rank 5 10; rank 6 41; rank 7 20
layers > layers-12.json; solve; run images.npy 12.npy

rank 1 1; rank 2 5; rank 3 14; rank 4 30; rank 5 12; rank 6 13; rank 7 64
layers > layers-13.json; solve; run images.npy 13.npy

rank 1 3; rank 2 8; rank 3 21; rank 4 14; rank 5 32; rank 6 44; rank 7 29
layers > layers-14.json; solve; run images.npy 14.npy

rank 1 1; rank 2 6; rank 3 12; rank 4 21; rank 5 55; rank 6 40; rank 7 28
layers > layers-15.json; solve; run images.npy 15.npy

rank 1 1; rank 2 5; rank 3 22; rank 4 15; rank 5 50; rank 6 58; rank 7 19
layers > layers-16.json; solve; run images.npy 16.npy

rank 1 1; rank 2 8; rank 3 27; rank 4 8; rank 5 19; rank 6 63; rank 7 26
layers > layers-17.json; solve; run images.npy 17.npy

rank 1 4; rank 2 9; rank 3 32; rank 4 18; rank 5 11; rank 6 37; rank 7 16
layers > layers-18.json; solve; run images.npy 18.npy

rank 1 1; rank 2 7; rank 3 33; rank 4 7; rank 5 64; rank 6 9; rank 7 49
layers > layers-19.json; solve; run images.npy 19.npy

rank 1 2; rank 2 10; rank 3 25; rank 4 25; rank 5 25; rank 6 22; rank 7 11
layers > layers-20.json; solve; run images.npy 20.npy
