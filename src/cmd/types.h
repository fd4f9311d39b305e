/* How arguments that are numbers are parsed, for their rows in cmd_types. */
#ifndef RANKLAB_CMD_TYPES_H
#define RANKLAB_CMD_TYPES_H

#include "cmd/command.h"

enum lr_status cmd_type_int(struct cmd_value *v, const struct cmd_param *p,
                            struct cmd_error *e);
enum lr_status cmd_type_real(struct cmd_value *v, const struct cmd_param *p,
                             struct cmd_error *e);
enum lr_status cmd_type_reals(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e);
enum lr_status cmd_type_share(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e);
enum lr_status cmd_type_factor(struct cmd_value *v, const struct cmd_param *p,
                               struct cmd_error *e);
enum lr_status cmd_type_range(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e);
enum lr_status cmd_type_amount(struct cmd_value *v, const struct cmd_param *p,
                               struct cmd_error *e);
enum lr_status cmd_type_rank(struct cmd_value *v, const struct cmd_param *p,
                             struct cmd_error *e);
enum lr_status cmd_type_shape(struct cmd_value *v, const struct cmd_param *p,
                              struct cmd_error *e);

#endif
