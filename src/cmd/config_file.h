/* The configuration file, from and to the session. */
#ifndef RANKLAB_CMD_CONFIG_FILE_H
#define RANKLAB_CMD_CONFIG_FILE_H

#include "cmd/context.h"

/* Writes a kept configuration (name NULL: the plan) with its settings and what was
 * measured of it to path. */
enum lr_status cmd_export_config(struct cmd_ctx *c, const char *name, const char *path,
                                 struct cmd_error *e);

enum lr_status cmd_import_config(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e);

#endif
