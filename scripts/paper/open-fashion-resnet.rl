# The network that the other scripts here work on: residual, with additions before the ReLU.
# See open-fashion.rl.

open @fashion-resnet
