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

NAMES = ("alexnet", "vgg16_bn", "resnet50", "resnext50_32x4d", "densenet121", "googlenet",
         "inception_v3", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0",
         "squeezenet1_1", "shufflenet_v2_x1_0", "regnet_y_400mf", "convnext_tiny",
         "deeplabv3_mobilenet_v3_large", "resnet18_functions")


class First(torch.nn.Module):
    """Networks that answer with a dictionary give its first entry."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        y = self.net(x)
        return y["out"] if isinstance(y, dict) else y


def build(name):
    torch.manual_seed(1)
    if name.startswith("deeplab"):
        net = torchvision.models.segmentation.__dict__[name](weights=None, weights_backbone=None)
    elif name in ("googlenet", "inception_v3"):
        net = torchvision.models.__dict__[name](weights=None, init_weights=False)
    else:
        net = torchvision.models.__dict__[name.split("_functions")[0]](weights=None)
    for m in net.modules():
        if isinstance(m, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
        elif isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.8, 1.2)
    return First(net).eval()


def main(folder, names):
    warnings.filterwarnings("ignore")
    os.makedirs(folder, exist_ok=True)
    for name in names or NAMES:
        path = os.path.join(folder, name + ".onnx")
        if os.path.exists(path):
            continue
        size = 299 if name == "inception_v3" else 224
        functions = name.endswith("_functions")
        with torch.no_grad():
            torch.onnx.export(build(name), torch.zeros(1, 3, size, size), path + ".part",
                              opset_version=15 if functions else 13,
                              export_modules_as_functions=functions,
                              input_names=["image"], output_names=["out"],
                              dynamic_axes={"image": {0: "N"}, "out": {0: "N"}})
        os.replace(path + ".part", path)
        print(path, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
