/* What changed in ONNX's operators between opsets 7 and 21, types aside. A function may
 * be written for another opset than the model it is part of; its nodes are taken over
 * only where both say the same. */
#include <string.h>

#include "onnx_function.h"

struct change {
    const char *op_type;
    int64_t opset;
};

/* Old nodes mean something else from there on, or are none any more. */
static const struct change breaks[] = {
    {"BatchNormalization", 9},
    {"BatchNormalization", 14},
    {"Clip", 11},
    {"Dropout", 10},
    {"Dropout", 12},
    {"GridSample", 20},
    {"GroupNormalization", 21},
    {"Hardmax", 13},
    {"LogSoftmax", 13},
    {"Pad", 11},
    {"ReduceL1", 18},
    {"ReduceL2", 18},
    {"ReduceLogSum", 18},
    {"ReduceLogSumExp", 18},
    {"ReduceMax", 18},
    {"ReduceMean", 18},
    {"ReduceMin", 18},
    {"ReduceProd", 18},
    {"ReduceSum", 13},
    {"ReduceSumSquare", 18},
    {"Resize", 11},
    {"Scatter", 11},
    {"Slice", 10},
    {"Softmax", 13},
    {"Split", 13},
    {"Split", 18},
    {"Squeeze", 13},
    {"TopK", 10},
    {"Unsqueeze", 13},
    {"Upsample", 9},
    {"Upsample", 10},
};

/* New nodes may ask for what was not there before. */
static const struct change additions[] = {
    {"Acosh", 9},
    {"ArgMax", 11},
    {"ArgMax", 12},
    {"ArgMin", 11},
    {"ArgMin", 12},
    {"Asinh", 9},
    {"Atanh", 9},
    {"AveragePool", 10},
    {"AveragePool", 11},
    {"AveragePool", 19},
    {"Cast", 19},
    {"CastLike", 15},
    {"CastLike", 19},
    {"Celu", 12},
    {"Concat", 11},
    {"Constant", 11},
    {"Constant", 12},
    {"ConstantOfShape", 9},
    {"Cosh", 9},
    {"CumSum", 11},
    {"DepthToSpace", 11},
    {"DequantizeLinear", 10},
    {"DequantizeLinear", 13},
    {"DequantizeLinear", 19},
    {"DequantizeLinear", 21},
    {"Einsum", 12},
    {"Erf", 9},
    {"Expand", 8},
    {"Flatten", 11},
    {"GRU", 14},
    {"Gather", 11},
    {"GatherElements", 11},
    {"GatherND", 11},
    {"GatherND", 12},
    {"Gelu", 20},
    {"Gemm", 11},
    {"GreaterOrEqual", 12},
    {"GridSample", 16},
    {"GroupNormalization", 18},
    {"HardSwish", 14},
    {"Hardmax", 11},
    {"LSTM", 14},
    {"LayerNormalization", 17},
    {"LessOrEqual", 12},
    {"LogSoftmax", 11},
    {"LpPool", 11},
    {"LpPool", 18},
    {"Max", 8},
    {"MaxPool", 8},
    {"MaxPool", 10},
    {"MaxPool", 11},
    {"Mean", 8},
    {"Min", 8},
    {"Mish", 18},
    {"Mod", 10},
    {"OneHot", 9},
    {"OneHot", 11},
    {"Pad", 18},
    {"Pad", 19},
    {"QuantizeLinear", 10},
    {"QuantizeLinear", 13},
    {"QuantizeLinear", 19},
    {"QuantizeLinear", 21},
    {"RNN", 14},
    {"Range", 11},
    {"ReduceL1", 11},
    {"ReduceL2", 11},
    {"ReduceLogSum", 11},
    {"ReduceLogSumExp", 11},
    {"ReduceMax", 11},
    {"ReduceMean", 11},
    {"ReduceMin", 11},
    {"ReduceProd", 11},
    {"ReduceSum", 11},
    {"ReduceSumSquare", 11},
    {"Reshape", 14},
    {"Resize", 10},
    {"Resize", 13},
    {"Resize", 18},
    {"Resize", 19},
    {"Round", 11},
    {"Scatter", 9},
    {"ScatterElements", 11},
    {"ScatterElements", 16},
    {"ScatterElements", 18},
    {"ScatterND", 11},
    {"ScatterND", 16},
    {"ScatterND", 18},
    {"Shape", 15},
    {"Shrink", 9},
    {"Sign", 9},
    {"Sinh", 9},
    {"Slice", 11},
    {"Softmax", 11},
    {"Split", 11},
    {"Squeeze", 11},
    {"Sum", 8},
    {"ThresholdedRelu", 10},
    {"TopK", 11},
    {"Trilu", 14},
    {"Unsqueeze", 11},
    {"Where", 9},
};

static int64_t find(const struct change *list, size_t n, const char *op_type, int64_t low,
                    int64_t high)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].opset > low && list[i].opset <= high &&
            strcmp(list[i].op_type, op_type) == 0)
            return list[i].opset;
    return 0;
}

int64_t lr_onnx_changed(const char *op_type, int64_t from, int64_t to)
{
    int64_t low = from < to ? from : to, high = from < to ? to : from;

    if (low == high)
        return 0;
    if (low < LR_ONNX_FIRST_LISTED)
        return LR_ONNX_FIRST_LISTED;
    if (high > LR_ONNX_LAST_LISTED)
        return high;
    int64_t at = find(breaks, sizeof(breaks) / sizeof(*breaks), op_type, low, high);
    if (at == 0 && from > to)
        at = find(additions, sizeof(additions) / sizeof(*additions), op_type, low, high);
    return at;
}
