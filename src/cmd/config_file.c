/* `export config` and `import config`. */
#include "cmd/config_file.h"

#include <math.h>
#include <string.h>

#include "cmd/changes.h"
#include "cmd/configs.h"

enum lr_status cmd_export_config(struct cmd_ctx *c, const char *name, const char *path,
                                 struct cmd_error *e)
{
    enum lr_status st = lr_session_settle(c->session, &c->progress, &e->err);

    if (!st)
        st = lr_session_export_config(c->session, name, path, &e->err);
    if (!st)
        cmd_say(c, "wrote %s", path);
    return st;
}

/* What the file says of its accuracy. */
static void say_told(struct cmd_ctx *c)
{
    struct lr_config now = {0};
    const struct lr_eval *r = &now.eval;

    if (lr_session_view_config(&now, c->session, NULL) != LR_OK)
        return;
    if (now.is_eval_told && isnan(r->top1_difference))
        cmd_say(c, "evaluated in the file on %lld images: output error %.4g",
                (long long)r->images, r->output_error);
    else if (now.is_eval_told)
        cmd_say(
            c,
            "evaluated in the file on %lld images: top-1 %.2f %%, %+.2f [%+.2f, %+.2f]",
            (long long)r->images, 100 * r->top1, 100 * r->top1_difference,
            100 * r->difference_low, 100 * r->difference_high);
    lr_config_view_free(&now);
}

enum lr_status cmd_import_config(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *file = cmd_arg(call, "FILE");
    struct cmd_before old = {0};
    char *path = NULL;
    enum lr_status st = cmd_path(&path, file, e);

    if (!st)
        st = lr_session_settle(c->session, &c->progress, &e->err);
    if (!st)
        st = cmd_before_take(&old, c->session, e);
    if (!st &&
        (st = lr_session_import_config(
             c->session, path, cmd_option(call, "force")->is_set, &e->err)) != LR_OK)
        cmd_blame(e, file);
    if (!st) {
        cmd_say_changes(c, &old);
        cmd_say_totals(c);
        say_told(c);
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
