/* The tables of sweeps: points of single layers, and of whole networks. */
#ifndef RANKLAB_CMD_SWEEP_TABLE_H
#define RANKLAB_CMD_SWEEP_TABLE_H

#include "cmd/context.h"
#include "ranklab/sweep.h"

/* Empty tables with the columns that suit a metric; the others are there for machines. */
void cmd_sweep_table_init(struct out_table *t, enum lr_metric metric, bool has_spatial);
void cmd_networks_table_init(struct out_table *t, bool has_labels);

void cmd_sweep_table_add(struct out_table *t, const struct lr_session *s,
                         const struct lr_sweep_point *p);
/* has_method: one method for all layers. */
void cmd_networks_table_add(struct out_table *t, const struct lr_session *s,
                            const struct lr_sweep_point *p, bool has_method);
/* A speedup that cannot be reached. method may be NULL. */
void cmd_networks_table_add_unmet(struct out_table *t, const char *rule,
                                  const char *method, double speedup, const char *reason);

#endif
