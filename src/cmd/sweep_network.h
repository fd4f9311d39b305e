/* The part of sweep that is about whole networks. */
#ifndef RANKLAB_CMD_SWEEP_NETWORK_H
#define RANKLAB_CMD_SWEEP_NETWORK_H

#include "cmd/context.h"

/* sweep --speedup A:B:STEP, with --rule, --method, --mode and --count. */
enum lr_status cmd_sweep_network(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e);

#endif
