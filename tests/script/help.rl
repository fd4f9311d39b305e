# exact
help
help rank
help sol
help grammar
help layer-sets
help methods
help rules
help settings
apropos speedup
apropos zzzz
