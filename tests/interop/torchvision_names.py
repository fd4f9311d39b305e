"""torchvision's networks that are compared, and what they are fed."""

NAMES = ("alexnet", "vgg16_bn", "resnet50", "resnext50_32x4d", "densenet121", "googlenet",
         "inception_v3", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0",
         "squeezenet1_1", "shufflenet_v2_x1_0", "regnet_y_400mf", "convnext_tiny",
         "deeplabv3_mobilenet_v3_large", "resnet18_functions")

# Others, at small sizes: windows that are shifted, volumes, boxes.
SMALL = {
    "mnasnet1_0": (3, 96, 96), "wide_resnet50_2": (3, 64, 64),
    "shufflenet_v2_x0_5": (3, 96, 96), "fcn_resnet50": (3, 64, 64),
    "lraspp_mobilenet_v3_large": (3, 96, 96), "swin_t": (3, 224, 224),
    "r3d_18": (3, 8, 56, 56), "ssdlite320_mobilenet_v3_large": (3, 160, 160),
    "retinanet_resnet50_fpn": (3, 128, 128),
}
# Their boxes are found by operators that are not known.
DETECTORS = ("ssdlite320_mobilenet_v3_large", "retinanet_resnet50_fpn")


def shape_of(name):
    return SMALL.get(name, (3, 299, 299) if name == "inception_v3" else (3, 224, 224))
