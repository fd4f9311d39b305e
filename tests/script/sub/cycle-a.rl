source cycle-b.rl
