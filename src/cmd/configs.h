/* What the commands about configurations share. */
#ifndef RANKLAB_CMD_CONFIGS_H
#define RANKLAB_CMD_CONFIGS_H

#include "cmd/context.h"
#include "ranklab/configs.h"

/* chosen: something is not solved; stale, solved; whole: nothing is approximated. */
const char *cmd_config_state(const struct lr_config *k, int n_layers);
enum lr_status cmd_compare(struct cmd_ctx *c, const struct cmd_call *call,
                           struct cmd_error *e);
/* The names of those kept, the first few; returns how many there are. And a line about
 * them after they were forgotten. */
int cmd_config_names(struct lr_strbuf *b, const struct cmd_ctx *c);
void cmd_say_forgotten(struct cmd_ctx *c, int n, const char *names);
int cmd_n_configs(const struct cmd_ctx *c);
/* One line with what is known of the accuracy of the plan, if anything is. */
void cmd_say_known(struct cmd_ctx *c);

#endif
