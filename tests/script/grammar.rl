# exact
# Words, quotes, comments, continuation, several commands on a line.
echo one; echo two ; ;echo three   # a comment
echo 'a  b' "c \"d\" \\ e" f'g'h
echo a#b '#' "two"
try echo 'not closed
try echo "bad \q escape"
try echo a\b
echo first \
     second \
     third
echo "-- is text" -- --x
try echo a > b
try help a b
try layers > out.csv extra
try layers >
try quit > out.csv
try > out.csv
try try echo x
try set seed <= 4
try échø ünïcode; echo end
