echo inside
  rank conv3 4
echo not reached either
