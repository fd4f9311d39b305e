# Ranks chosen by measured sensitivity: slow, as it measures the accuracy of every layer
# split alone.

select --speedup 4 --rule sensitivity; layers > layers-sensitivity-4.json
solve; error > sensitivity-4.json; run images.npy sensitivity-4.npy
