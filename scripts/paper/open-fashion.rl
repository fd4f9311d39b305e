# The network that the other scripts here work on: VGG-like, a chain. They are run after it,
#     ranklab -b -f open-fashion.rl -f methods.rl
# and write into the current folder. images.npy is the set of test images, normalised as the
# network wants them ((x / 255 - 0.2860) / 0.3530); report makes it.

open @fashion
