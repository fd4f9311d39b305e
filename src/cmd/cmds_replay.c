/* Commands about scripts: running them, keeping what was done as one, and replaying a
 * recorded one to see whether its tables come out as they did. A replay runs in a session
 * of its own, beside the one that is open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/replay.h"
#include "ranklab/engine.h"
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

struct cmd_replay {
    int depth;                      /* of the script that is replayed */
    size_t next, end;               /* tables of the last command */
    size_t line;                    /* of the last command */
    int n_same, n_different, n_new; /* tables; new: without a digest */
    size_t bad_line;                /* of the first difference */
    char bad[160];                  /* what it is */
    int threads;                    /* recorded, 0: unknown */
    char *folder; /* where it was recorded, with a slash behind; or NULL */
    bool is_here; /* what lies below that is taken from here */
};

static void differs(struct cmd_ctx *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void differs(struct cmd_ctx *c, const char *fmt, ...)
{
    struct cmd_replay *r = c->replay;
    char text[sizeof(r->bad)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (r->n_different++ == 0) {
        memcpy(r->bad, text, sizeof(text));
        r->bad_line = r->line;
    }
    cmd_warn(c, "line %zu: %s", r->line, text);
}

/* text after head, which it begins with, without its line end; NULL otherwise. */
static char *after(const char *text, const char *head)
{
    size_t n = strlen(head);

    return strncmp(text, head, n) == 0 ? lr_strndup(text + n, strcspn(text + n, "\r\n"))
                                       : NULL;
}

/* "# ranklab VERSION session, seed S, threads N": as many threads as then, because the
 * last digits depend on them. */
static void check_program(struct cmd_ctx *c, const char *text)
{
    size_t n = strcspn(text, " ");
    const char *threads = strstr(text, ", threads ");
    char number[16] = "";
    int64_t k;

    if (n != strlen(PACKAGE_VERSION) || strncmp(text, PACKAGE_VERSION, n) != 0)
        cmd_warn(c, "recorded with version %.*s, this is %s", (int)(n < 40 ? n : 40),
                 text, PACKAGE_VERSION);
    if (threads)
        snprintf(number, sizeof(number), "%s", threads + strlen(", threads "));
    if (!cmd_parse_int(&k, number) || k < 1 || k > 4096)
        return;
    c->replay->threads = (int)k;
    if (k != lr_la_threads())
        cmd_say(c, "threads %d, as it was recorded", (int)k);
    lr_la_set_threads((int)k);
    c->session->settings.threads = (int)k;
}

/* The automatic script of a session names files from the root on. */
static void take_folder(struct cmd_ctx *c, const char *text)
{
    struct lr_strbuf b = {0};

    if (text[0] == '/' && text[1]) {
        lr_strbuf_printf(&b, "%s/", text);
        lr_free(c->replay->folder);
        c->replay->folder = lr_strbuf_take(&b);
    }
}

void cmd_replay_words(struct cmd_ctx *c, struct cmd_tokens *ts)
{
    const char *folder = c->replay->folder;
    size_t n = folder && c->replay->is_here ? strlen(folder) : 0;

    for (size_t i = 1; n && i < ts->n; i++) {
        char *text = ts->t[i].text;
        if (strncmp(text, folder, n) != 0)
            continue;
        /* A name that begins with a dash is no option. */
        text[0] = '.';
        memmove(text + 2, text + n, strlen(text + n) + 1);
        text[1] = '/';
    }
}

void cmd_replay_hint(struct cmd_ctx *c, struct cmd_error *e)
{
    const struct cmd_replay *r = c->replay;
    char here[4096];

    if (e->err.code != LR_EIO || e->hint[0] || !r->folder || r->is_here ||
        !getcwd(here, sizeof(here)) || access(r->folder, F_OK) == 0 || errno != ENOENT)
        return;
    cmd_hint(e, "replay FILE --here takes from %s what was in %s", here, r->folder);
}

static void check_libraries(struct cmd_ctx *c, const char *text)
{
    struct lr_strbuf b = {0};
    char blas[128], engine[128];

    lr_strbuf_printf(&b, "%s; %s", lr_la_version(blas, sizeof(blas)),
                     lr_engine_version(engine, sizeof(engine)));
    if (b.s && strcmp(b.s, text) != 0)
        cmd_warn(c, "recorded with %s, this is %s", text, b.s);
    lr_strbuf_free(&b);
}

static void check_hash(struct cmd_ctx *c, const char *what, const char *then,
                       const char *now)
{
    if (strcmp(then, now) != 0)
        differs(c, "%s %.12s... was %.12s... when it was recorded", what, now, then);
}

/* "sha256 HEX" of all, or "first N sha256 HEX". */
static void check_images(struct cmd_ctx *c, const char *what, const char *then,
                         const struct lr_dataset *d)
{
    static const char first[] = "first ";
    char now[65], *end = NULL;
    long long n = 0;

    if (strncmp(then, first, sizeof(first) - 1) == 0) {
        n = strtoll(then + sizeof(first) - 1, &end, 10);
        then = n > 0 && *end == ' ' ? end + 1 : "";
    }
    if (strncmp(then, "sha256 ", 7) == 0)
        check_hash(c, what, then + 7, lr_dataset_hash_first(now, d, n));
}

static void check_table(struct cmd_ctx *c, const char *text)
{
    struct cmd_replay *r = c->replay;
    size_t n = strcspn(text, " ");
    const char *hex = strstr(text, " sha256 ");

    if (!hex)
        return;
    hex += strlen(" sha256 ");
    if (r->next == r->end) {
        differs(c, "the table %.*s was not printed", (int)n, text);
        return;
    }
    const struct cmd_digest *d = &c->seen.d[r->next++];
    if (strlen(d->name) != n || strncmp(d->name, text, n) != 0)
        differs(c, "the table %s comes where %.*s was recorded", d->name, (int)n, text);
    else if (strcmp(d->hex, hex) != 0)
        differs(c, "the table %s differs from the recorded one", d->name);
    else
        r->n_same++;
}

enum lr_status cmd_replay_line(struct cmd_ctx *c, const char *text,
                               const struct cmd_origin *at)
{
    static const struct {
        const char *head;
        void (*check)(struct cmd_ctx *c, const char *text);
    } lines[] = {{"# ranklab ", check_program},
                 {"# folder ", take_folder},
                 {"# libraries ", check_libraries},
                 {"# table ", check_table}};
    const struct lr_session *s = c->session;
    struct cmd_replay *r = c->replay;
    char *rest;

    if (at->depth != r->depth)
        return LR_OK;
    size_t blank = strspn(text, " \t\r\n");
    if (text[blank] && text[blank] != '#') {
        r->n_new += (int)(r->end - r->next);
        r->next = r->end;
        r->end = c->seen.n;
        r->line = at->line;
        return LR_OK;
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if ((rest = after(text, lines[i].head)) != NULL) {
            lines[i].check(c, rest);
            lr_free(rest);
        }
    if (s->graph && (rest = after(text, "# network sha256 ")) != NULL) {
        check_hash(c, "the network", rest, s->model_sha256);
        lr_free(rest);
    }
    if (s->calib && (rest = after(text, "# calib ")) != NULL) {
        check_images(c, "the calibration images", rest, s->calib);
        lr_free(rest);
    }
    if (s->eval && (rest = after(text, "# eval ")) != NULL) {
        check_images(c, "the evaluation images", rest, s->eval);
        lr_free(rest);
    }
    return LR_OK;
}

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
     .detail = "Each table is compared with the digest the script holds of it (times "
               "aside), and\n"
               "so are the hashes of the network and the images. The script runs in a "
               "session of\n"
               "its own, with as many threads as it was recorded with; the open one "
               "stays as it\n"
               "is. Files that the script writes are written again: with --here into the "
               "working\n"
               "folder, where its own files are looked for as well. The first difference "
               "is the\n"
               "error. The table of ranks chosen by milliseconds (select --ms) is not "
               "compared;\n"
               "what follows such a choice may differ on another machine.\n",
     .args = source_args,
     .options = replay_options,
     .flags = CMD_NOT_RECORDED,
     .run = run_replay},
};

const struct cmd_group cmd_group_scripts = {"Scripts", rows,
                                            sizeof(rows) / sizeof(rows[0])};
