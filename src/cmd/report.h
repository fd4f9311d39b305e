/* `export report`. */
#ifndef RANKLAB_CMD_REPORT_H
#define RANKLAB_CMD_REPORT_H

#include "cmd/context.h"

/* Writes the folder at path, all of it or nothing. */
enum lr_status cmd_export_report(struct cmd_ctx *c, const char *path,
                                 struct cmd_error *e);

#endif
