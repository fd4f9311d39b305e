# Ranks as multiples of 8, for hardware that computes eight channels at once.

method all relu; try method fc* keep
select --speedup 4 --round 8; layers > layers-relu-round.json
solve; error > relu-round.json; run images.npy relu-round.npy
method all 3d; try method fc* keep
select --speedup 4 --round 8; layers > layers-3d-round.json
solve; error > 3d-round.json; run images.npy 3d-round.npy
