# How concentrated the energy of the responses is, and that of the filters. Layers by number;
# try, as one network has fewer than the other.

layers > layers.json
plot energy all --to energy-responses.svg
plot energy all --of filters --to energy-filters.svg
try info 1 > info-1.txt
try info 1 > info-1.csv
try info 2 > info-2.txt
try info 2 > info-2.csv
try info 3 > info-3.txt
try info 3 > info-3.csv
try info 4 > info-4.txt
try info 4 > info-4.csv
try info 5 > info-5.txt
try info 5 > info-5.csv
try info 6 > info-6.txt
try info 6 > info-6.csv
try info 7 > info-7.txt
try info 7 > info-7.csv
try info 8 > info-8.txt
try info 8 > info-8.csv
try info 9 > info-9.txt
try info 9 > info-9.csv
try info 10 > info-10.txt
try info 10 > info-10.csv
