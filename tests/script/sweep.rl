# args -k
# exit 1
# Sweeps of layers and of networks; what the journal knows is told of and is the same; what
# cannot be asked for together is refused.
open @fashion
data calib @fashion --count 200
data eval @fashion --count 300
method conv3 pca; method conv4 3d; method conv5 spatial
sweep conv3..conv5 --points 2
sweep conv3..conv5 --points 3
sweep conv2,conv6 --ranks 8:64:24 --metric error
sweep conv2 --points 1 --metric agreement
sweep conv3 --points 2 --precision 1000
sweep conv3 --points 2 --precision 5
sweep --speedup 2:3:1 --method svd --rule uniform,energy --count 100
sweep --speedup 2:3:1 --method svd --rule uniform --count 100
sweep --speedup 2:2:1 --method svd --rule nothing
sweep --speedup 2:2:1 --method keep
sweep --speedup 2:2:1 --precision 2
sweep --speedup 0:2:1 --count 100
sweep conv3 --mode sym
sweep conv3 --rule energy
sweep conv3 --points 2 --ranks 4:8:4
sweep conv3 --ranks 0:8:4
layers conv3..conv5
