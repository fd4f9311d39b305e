#!/usr/bin/python3
"""Exports torchvision's architectures with random weights:
  torchvision_export.py FOLDER [NAME ...]
NAME_functions: with every module as a function of the file.
Weights are drawn anew so that activations keep their size through the network; files that
are there are left alone."""
import os
import sys
import warnings

import torch
import torchvision

import torchvision_names as names


class First(torch.nn.Module):
    """Networks that answer with a dictionary give its first entry."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        y = self.net(x)
        return y["out"] if isinstance(y, dict) else y


class Boxes(torch.nn.Module):
    """What a detector finds in one image."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        found = self.net(list(x))[0]
        return tuple(found[k] for k in sorted(found))


def build(name):
    torch.manual_seed(1)
    models = torchvision.models
    if name in names.DETECTORS:
        small = {"min_size": 128, "max_size": 160} if "retina" in name else {}
        net = models.detection.__dict__[name](weights=None, weights_backbone=None, **small)
    elif name in models.segmentation.__dict__:
        net = models.segmentation.__dict__[name](weights=None, weights_backbone=None)
    elif name in models.video.__dict__:
        net = models.video.__dict__[name](weights=None)
    elif name in ("googlenet", "inception_v3"):
        net = models.__dict__[name](weights=None, init_weights=False)
    else:
        net = models.__dict__[name.split("_functions")[0]](weights=None)
    for m in net.modules():
        if isinstance(m, (torch.nn.Conv2d, torch.nn.Conv3d)):
            torch.nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
        elif isinstance(m, (torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.8, 1.2)
    return (Boxes if name in names.DETECTORS else First)(net).eval()


def main(folder, *wanted):
    warnings.filterwarnings("ignore")
    os.makedirs(folder, exist_ok=True)
    for name in wanted or names.NAMES + tuple(names.SMALL):
        path = os.path.join(folder, name + ".onnx")
        if os.path.exists(path):
            continue
        functions = name.endswith("_functions")
        axes = None if name in names.DETECTORS else {"image": {0: "N"}, "out": {0: "N"}}
        outputs = None if name in names.DETECTORS else ["out"]
        with torch.no_grad():
            torch.onnx.export(build(name), torch.zeros((1,) + names.shape_of(name)),
                              path + ".part", opset_version=15 if functions else 13,
                              export_modules_as_functions=functions, input_names=["image"],
                              output_names=outputs, dynamic_axes=axes)
        os.replace(path + ".part", path)
        print(path, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
