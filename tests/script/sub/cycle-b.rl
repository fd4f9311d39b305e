source ./cycle-a.rl
