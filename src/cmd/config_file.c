/* `export config` and `import config`. */
#include "cmd/config_file.h"

#include <string.h>

#include "cmd/changes.h"
#include "cmd/configs.h"

enum lr_status cmd_export_config(struct cmd_ctx *c, const char *path, struct cmd_error *e)
{
    enum lr_status st = lr_session_export_config(c->session, NULL, path, &e->err);

    if (!st)
        cmd_say(c, "wrote %s", path);
    return st;
}

enum lr_status cmd_import_config(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *file = cmd_arg(call, "FILE");
    struct cmd_before old = {0};
    char *path = NULL;
    enum lr_status st = cmd_path(&path, file, e);

    if (!st)
        st = cmd_before_take(&old, c->session, e);
    if (!st &&
        (st = lr_session_import_config(
             c->session, path, cmd_option(call, "force")->is_set, &e->err)) != LR_OK)
        cmd_blame(e, file);
    if (!st) {
        cmd_say_changes(c, &old);
        cmd_say_totals(c);
        for (int i = 0; i < c->session->n_layers; i++)
            if (lr_session_state(c->session, i) == LR_STATE_CHOSEN) {
                cmd_say(c, "solve makes its factors");
                break;
            }
    }
    cmd_before_free(&old);
    lr_free(path);
    return st;
}
