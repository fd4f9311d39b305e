/* Attributes of a node read from its protobuf message. */
#ifndef RANKLAB_MODEL_ONNX_ATTR_H
#define RANKLAB_MODEL_ONNX_ATTR_H

#include "model.h"
#include "onnx_int.h"

/* Fills n's attributes from p; beside as for lr_onnx_tensor. LR_EPARSE for a name given
 * twice and for an attribute of the wrong kind. */
enum lr_status lr_onnx_attrs(struct lr_node *n, Onnx__NodeProto *p,
                             const struct lr_onnx_beside *beside, struct lr_err *e);

#endif
