# Convolutions before an addition fitted by themselves. methods.rl has the solutions that see
# the shortcut and its error.

select --speedup 2
solve --alone; error > alone-2.json; run images.npy alone-2.npy
select --speedup 3
solve --alone; error > alone-3.json; run images.npy alone-3.npy
select --speedup 4
solve --alone; error > alone-4.json; run images.npy alone-4.npy
