# Ranks chosen by other rules at equal cost, nonlinear and asymmetric. methods.rl has the rule
# energy.

select --speedup 2 --rule uniform; layers > layers-uniform-2.json
solve; error > uniform-2.json; run images.npy uniform-2.npy

select --speedup 3 --rule uniform; layers > layers-uniform-3.json
solve; error > uniform-3.json; run images.npy uniform-3.npy
select --speedup 3 --rule knapsack; layers > layers-knapsack-energy-3.json
solve; error > knapsack-energy-3.json; run images.npy knapsack-energy-3.npy
select --speedup 3 --rule knapsack --objective error; layers > layers-knapsack-error-3.json
solve; error > knapsack-error-3.json; run images.npy knapsack-error-3.npy

select --speedup 4 --rule uniform; layers > layers-uniform-4.json
solve; error > uniform-4.json; run images.npy uniform-4.npy
select --speedup 4 --rule knapsack; layers > layers-knapsack-energy-4.json
solve; error > knapsack-energy-4.json; run images.npy knapsack-energy-4.npy
select --speedup 4 --rule knapsack --objective error; layers > layers-knapsack-error-4.json
solve; error > knapsack-error-4.json; run images.npy knapsack-error-4.npy
select --speedup 4 --rule paper; layers > layers-paper-4.json
solve; error > paper-4.json; run images.npy paper-4.npy

select --speedup 5 --rule uniform; layers > layers-uniform-5.json
solve; error > uniform-5.json; run images.npy uniform-5.npy
select --speedup 5 --rule knapsack; layers > layers-knapsack-energy-5.json
solve; error > knapsack-energy-5.json; run images.npy knapsack-energy-5.npy
select --speedup 5 --rule knapsack --objective error; layers > layers-knapsack-error-5.json
solve; error > knapsack-error-5.json; run images.npy knapsack-error-5.npy
