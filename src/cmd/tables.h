/* The tables that can be written by name: `export table` and the report read this list.
 */
#ifndef RANKLAB_CMD_TABLES_H
#define RANKLAB_CMD_TABLES_H

#include "cmd/context.h"

struct cmd_named_table {
    const char *name, *title; /* title: for headings */
    /* Why there is nothing to show, and the command that changes it; NULL (also the
     * function): there is. */
    const char *(*missing)(const struct cmd_ctx *c);
    /* The caller frees the table. */
    enum lr_status (*make)(struct out_table *t, struct cmd_ctx *c, struct cmd_error *e);
};
extern const struct cmd_named_table cmd_tables[];
extern const size_t cmd_n_tables;
extern const char *const cmd_table_names[]; /* of cmd_tables, ends with NULL */
/* NULL when there is none of that name. */
const struct cmd_named_table *cmd_table_find(const char *name);

/* What the makers of tables in other files give to the list. */
enum lr_status cmd_configs_table(struct out_table *t, struct cmd_ctx *c,
                                 struct cmd_error *e);
/* The networks that predictions are learned from. */
enum lr_status cmd_predict_table(struct out_table *t, struct cmd_ctx *c,
                                 struct cmd_error *e);
/* Of the points known in the session: of single layers, and of whole networks. */
enum lr_status cmd_sweep_table(struct out_table *t, struct cmd_ctx *c,
                               struct cmd_error *e);
enum lr_status cmd_networks_table(struct out_table *t, struct cmd_ctx *c,
                                  struct cmd_error *e);
/* The last measurement; another one differs. */
enum lr_status cmd_time_table(struct out_table *t, struct cmd_ctx *c,
                              struct cmd_error *e);

#endif
