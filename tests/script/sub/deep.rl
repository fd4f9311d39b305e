source deep.rl
