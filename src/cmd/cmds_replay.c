/* Commands about scripts: running them, keeping what was done as one, and replaying a
 * recorded one to see whether its tables come out as they did. A replay runs in a session
 * of its own, beside the one that is open. */
#include <string.h>

#include "cmd/replay.h"
#include "ranklab/la.h"

static enum lr_status run_source(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *file = cmd_arg(call, "FILE");
    bool is_check = cmd_option(call, "check")->is_set;
    char *path = NULL;
    enum lr_status st = cmd_path(&path, file, e);

    if (!st)
        st = cmd_run_file(c, path, is_check, e);
    if (st && !e->is_reported)
        cmd_blame(e, file);
    if (st && is_check && e->is_reported)
        c->n_failed++;
    if (!st && is_check)
        cmd_say(c, "%s: no errors", path);
    lr_free(path);
    return st;
}

static enum lr_status run_record(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *file = cmd_arg(call, "FILE");
    bool is_stop = cmd_option(call, "stop")->is_set;
    char *path = NULL;

    if (is_stop || !file->is_set) {
        if (file->is_set)
            return cmd_fail_at(e, file->begin, LR_EINVAL, "--stop takes no file");
        if (!c->user_record.path)
            cmd_say(c, "nothing is being recorded");
        else
            cmd_say(c, "%s %s", is_stop ? "recorded" : "recording to",
                    c->user_record.path);
        if (is_stop)
            cmd_record_stop(&c->user_record);
        return LR_OK;
    }
    enum lr_status st = cmd_path_out(&path, c, file, e);
    if (!st && (st = cmd_record_start(c, path, e)) != LR_OK)
        cmd_blame(e, file);
    if (!st)
        cmd_say(c, "recording to %s", path);
    lr_free(path);
    return st;
}

static const struct out_column history_columns[] = {
    {"number", "", OUT_INT, 0, 0},
    {"command", "", OUT_TEXT, 0, 0},
    {"is_failed", "", OUT_BOOL, 0, 0},
};

static enum lr_status run_history(struct cmd_ctx *c, const struct cmd_call *call,
                                  struct cmd_error *e)
{
    const struct cmd_value *count = cmd_arg(call, "N");
    struct lr_strbuf b = {0};
    struct out_table t;
    size_t from = 0;

    if (count->is_set && (size_t)count->i < c->n_done)
        from = c->n_done - (size_t)count->i;
    if (c->settings.format != OUT_TABLE || c->redirect_path) {
        out_table_init(&t, history_columns, 3);
        for (size_t i = from; i < c->n_done; i++) {
            out_int(&t, (int64_t)i + 1);
            out_text(&t, c->done[i].text);
            out_bool(&t, c->done[i].is_failed);
        }
        return cmd_table(c, &t, e);
    }
    for (size_t i = from; i < c->n_done; i++)
        lr_strbuf_printf(&b, "%5zu%s %s\n", i + 1, c->done[i].is_failed ? "!" : " ",
                         c->done[i].text);
    if (b.s)
        cmd_text(c, b.s);
    lr_strbuf_free(&b);
    return LR_OK;
}

/* ---- replay ---- */

static enum lr_status conclude(struct cmd_ctx *c, struct cmd_replay *r, const char *path,
                               struct cmd_error *e)
{
    int n = r->n_same + r->n_different;

    r->n_new += (int)(r->end - r->next);
    if (r->n_different)
        return lr_err_set(&e->err, LR_EINVAL, "%s:%zu: %s; %d of %d as recorded", path,
                          r->bad_line, r->bad, r->n_same, n);
    if (!n)
        cmd_warn(c, "%s holds no digests of tables: there was nothing to compare", path);
    else
        cmd_say(c, "%s: %d table%s, %s as recorded", path, n, n == 1 ? "" : "s",
                n == 1 ? "it came out" : "all");
    if (r->n_new && n)
        cmd_warn(c, "%d more table%s printed for which no digest was recorded", r->n_new,
                 r->n_new == 1 ? " was" : "s were");
    return LR_OK;
}

/* In a session of its own, with the settings of the front end and its output. */
static enum lr_status replay_file(struct cmd_ctx *c, const char *path, bool is_here,
                                  struct cmd_error *e)
{
    struct lr_session s;
    struct cmd_ctx own;
    struct cmd_replay r = {.depth = (c->origin ? c->origin->depth : 0) + 1,
                           .is_here = is_here};
    int threads = lr_la_threads();

    lr_session_init(&s);
    cmd_init(&own, &s, &c->sink);
    own.settings = c->settings;
    own.settings.is_keep_going = false;
    own.origin = c->origin;
    own.replay = &r;
    enum lr_status st = cmd_run_file(&own, path, false, e);
    c->was_interrupted = c->was_interrupted || own.was_interrupted;
    if (!st)
        st = conclude(c, &r, path, e);
    lr_free(r.folder);
    cmd_free(&own);
    lr_session_free(&s);
    lr_la_set_threads(threads);
    return st;
}

static enum lr_status run_replay(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *file = cmd_arg(call, "FILE");
    bool is_check = cmd_option(call, "check")->is_set;
    bool is_here = cmd_option(call, "here")->is_set;
    char *path = NULL;
    enum lr_status st = cmd_path(&path, file, e);

    if (!st)
        st = is_check ? cmd_run_file(c, path, true, e) : replay_file(c, path, is_here, e);
    if (st == LR_EIO && !e->is_reported)
        cmd_blame(e, file);
    if (st && e->is_reported)
        c->n_failed++;
    if (!st && is_check)
        cmd_say(c, "%s: no errors", path);
    lr_free(path);
    return st;
}

/* ---- rows ---- */

static const struct cmd_param source_args[] = {{.name = "FILE", .type = CMD_T_PATH_IN},
                                               {0}};
static const struct cmd_param source_options[] = {
    {.name = "check", .type = CMD_T_FLAG, .help = "parse it, run nothing"}, {0}};
static const struct cmd_param replay_options[] = {
    {.name = "check", .type = CMD_T_FLAG, .help = "parse it, run nothing"},
    {.name = "here",
     .type = CMD_T_FLAG,
     .help = "the files of the folder it ran in are here now"},
    {0}};
static const struct cmd_param record_args[] = {
    {.name = "FILE", .type = CMD_T_PATH_OUT, .flags = CMD_OPTIONAL}, {0}};
static const struct cmd_param record_options[] = {
    {.name = "stop", .type = CMD_T_FLAG, .help = "end it"}, {0}};
static const struct cmd_param history_args[] = {{.name = "N",
                                                 .type = CMD_T_INT,
                                                 .flags = CMD_OPTIONAL,
                                                 .min = 1,
                                                 .max = 1e9,
                                                 .help = "only the last ones"},
                                                {0}};
static const struct cmd_row rows[] = {
    {.name = "sou$rce",
     .summary = "run the commands of a file",
     .detail =
         "A relative name is taken from the folder of the script that says source, at\n"
         "the prompt from the working folder.\n",
     .args = source_args,
     .options = source_options,
     .flags = CMD_NOT_RECORDED,
     .run = run_source},
    {.name = "rec$ord",
     .summary = "write what is done to a file, as a script",
     .detail =
         "The commands accepted so far are written first, then each new one. Without\n"
         "FILE: where it goes.\n",
     .args = record_args,
     .options = record_options,
     .flags = CMD_NOT_RECORDED,
     .run = run_record},
    {.name = "hi$story",
     .summary = "the commands of this session; ! marks those that failed",
     .examples = "history 3\n",
     .args = history_args,
     .flags = CMD_TABLE | CMD_NOT_RECORDED | CMD_VARIES,
     .run = run_history},
    {.name = "rep$lay",
     .summary = "run a recorded session again and compare its tables",
     .detail =
         "Each table is compared with the digest the script holds of it (times and\n"
         "energies aside), and so are the hashes of the network and the images. The\n"
         "script runs in a session of its own, with as many threads as it was recorded\n"
         "with; the open one stays as it is. Files that the script writes are written\n"
         "again: with --here into the working folder, where its own files are looked "
         "for\n"
         "as well. The first difference is the error. The table of ranks chosen by\n"
         "milliseconds (select --ms) is not compared; what follows such a choice may\n"
         "differ on another machine.\n",
     .args = source_args,
     .options = replay_options,
     .flags = CMD_NOT_RECORDED,
     .run = run_replay},
};

const struct cmd_group cmd_group_scripts = {"Scripts", rows,
                                            sizeof(rows) / sizeof(rows[0])};
