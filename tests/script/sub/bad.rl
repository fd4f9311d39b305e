rank conv3 12
rank
open @x
solv
rank conv3 x=0.5
