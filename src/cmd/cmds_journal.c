/* The evaluations kept on disk. */
#include "cmd/context.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "ranklab/journal.h"

const char *cmd_time(char buf[CMD_TIME_SIZE], int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm parts;

    if (!gmtime_r(&t, &parts) ||
        strftime(buf, CMD_TIME_SIZE, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        snprintf(buf, CMD_TIME_SIZE, "at an unknown time");
    return buf;
}

/* The default path, its folder made. */
static enum lr_status journal_path(char **path, struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    char *dir = lr_xdg_dir("cache", true);

    *path = NULL;
    if (!dir)
        return lr_err_set(&e->err, LR_EIO,
                          "there is no cache folder: set XDG_CACHE_HOME");
    lr_strbuf_printf(&b, "%s/journal.jsonl", dir);
    lr_free(dir);
    *path = lr_strbuf_take(&b);
    return *path ? LR_OK : lr_enomem(&e->err, 64, "a path");
}

/* ---- list ---- */

static const struct out_column list_columns[] = {
    {"when", "when", OUT_TEXT, 0, 0},
    {"what", "what", OUT_TEXT, 0, 0},
    {"method", "method", OUT_TEXT, 0, 0},
    {"rank", "rank", OUT_INT, 0, 0},
    {"rank_spatial", NULL, OUT_INT, 0, 0},
    {"macs", "MMAC", OUT_REAL, 1e6, 2},
    {"speedup", "speedup", OUT_REAL, 0, 2},
    {"images", "images", OUT_INT, 0, 0},
    {"n_images", "of", OUT_INT, 0, 0},
    {"top1", "top1 %", OUT_REAL, 0.01, 2},
    {"top1_difference", "diff", OUT_REAL, 0.01, 2},
    {"difference_low", NULL, OUT_REAL, 0.01, 2},
    {"difference_high", NULL, OUT_REAL, 0.01, 2},
    {"agreement", "agree %", OUT_REAL, 0.01, 2},
    {"output_error", "error", OUT_REAL, 0, 5},
    {"kl", NULL, OUT_REAL, 0, 7},
    {"psnr", NULL, OUT_REAL, 0, 2},
    {"detail", NULL, OUT_TEXT, 0, 0},
    {"model", NULL, OUT_TEXT, 0, 0},
    {"evaluation", NULL, OUT_TEXT, 0, 0},
    {"version", NULL, OUT_TEXT, 0, 0},
    {"key", NULL, OUT_TEXT, 0, 0},
};

static void add_record(struct out_table *t, const struct lr_record *r)
{
    char when[CMD_TIME_SIZE];

    out_text(t, cmd_time(when, r->when));
    out_text(t, r->what);
    out_text(t, r->method);
    out_int(t, r->rank < 0 ? INT64_MIN : r->rank);
    out_int(t, r->rank_spatial < 0 ? INT64_MIN : r->rank_spatial);
    out_real(t, r->macs < 0 ? NAN : (double)r->macs);
    out_real(t, r->speedup);
    out_int(t, r->measure.images);
    out_int(t, r->n_images);
    out_real(t, r->measure.top1);
    out_real(t, r->measure.top1_difference);
    out_real(t, r->measure.difference_low);
    out_real(t, r->measure.difference_high);
    out_real(t, r->measure.agreement);
    out_real(t, r->measure.output_error);
    out_real(t, r->kl);
    out_real(t, r->psnr);
    out_text(t, r->detail);
    out_text(t, r->model);
    out_text(t, r->eval);
    out_text(t, r->version);
    out_text(t, r->key);
}

static enum lr_status run_list(struct cmd_ctx *c, const struct cmd_call *call,
                               struct cmd_error *e)
{
    const struct cmd_value *what = cmd_option(call, "what");
    const struct cmd_value *last = cmd_option(call, "last");
    const char *model =
        cmd_option(call, "current")->is_set ? c->session->model_sha256 : NULL;
    const struct cmd_value *from = cmd_arg(call, "A");
    struct lr_journal *j = NULL;
    struct out_table t;
    char *path = NULL;
    int64_t n = 0, skipped = 0;

    if (model && !*model)
        return lr_err_set(&e->err, LR_EINVAL, "no network is open: use open");
    enum lr_status st = from->is_set ? cmd_path(&path, from, e) : LR_OK;
    if (!st)
        st = lr_journal_open(&j, path, &c->session->notes, &e->err);
    lr_free(path);
    if (st)
        return st;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            out_table_init(&t, list_columns,
                           sizeof(list_columns) / sizeof(list_columns[0]));
        for (int64_t i = 0; i < lr_journal_count(j); i++) {
            const struct lr_record *r = lr_journal_at(j, i);
            if ((what->is_set && strcmp(r->what, what->text) != 0) ||
                (model && strcmp(r->model, model) != 0))
                continue;
            if (pass == 0)
                n++;
            else if (!last->is_set || skipped++ >= n - last->i)
                add_record(&t, r);
        }
    }
    lr_journal_close(j);
    return cmd_table(c, &t, e);
}

/* ---- verify, prune, merge ---- */

static void say_conflict(void *ctx, const struct lr_record *a, const struct lr_record *b)
{
    char when[CMD_TIME_SIZE], other[CMD_TIME_SIZE];

    cmd_warn(ctx,
             "%s %s, %lld images: top-1 %.4f %%, output error %.6g (%s); "
             "top-1 %.4f %%, output error %.6g (%s)",
             a->what, a->detail ? a->detail : "", (long long)a->measure.images,
             100 * a->measure.top1, a->measure.output_error, cmd_time(when, a->when),
             100 * b->measure.top1, b->measure.output_error, cmd_time(other, b->when));
}

static const struct out_column verify_columns[] = {
    {"lines", "lines", OUT_INT, 0, 0},
    {"bytes", "bytes", OUT_INT, 0, 0},
    {"kept", "records", OUT_INT, 0, 0},
    {"repeated", "repeated", OUT_INT, 0, 0},
    {"conflicts", "conflicts", OUT_INT, 0, 0},
    {"versions", "other versions", OUT_INT, 0, 0},
    {"formats", "other formats", OUT_INT, 0, 0},
    {"damaged", "damaged", OUT_INT, 0, 0},
};

static enum lr_status run_verify(struct cmd_ctx *c, const char *path, struct cmd_error *e)
{
    const struct lr_journal_conflicts conflicts = {say_conflict, c};
    struct lr_journal_counts n;
    struct out_table t;
    enum lr_status st = lr_journal_verify(&n, path, &conflicts, &e->err);

    if (st)
        return st;
    out_table_init(&t, verify_columns,
                   sizeof(verify_columns) / sizeof(verify_columns[0]));
    const int64_t cells[] = {n.n_lines,     n.n_bytes,    n.n_kept,    n.n_repeated,
                             n.n_conflicts, n.n_versions, n.n_formats, n.n_damaged};
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        out_int(&t, cells[i]);
    if ((st = cmd_table(c, &t, e)) != LR_OK)
        return st;
    if (n.n_damaged)
        return lr_err_set(&e->err, LR_EPARSE,
                          "line %lld is damaged (%s)%s: journal prune --damaged removes "
                          "what is",
                          (long long)n.first_damaged, n.why,
                          n.n_damaged > 1 ? " and not alone" : "");
    return LR_OK;
}

static enum lr_status run_prune(struct cmd_ctx *c, const struct cmd_call *call,
                                const char *path, struct cmd_error *e)
{
    const struct cmd_value *older = cmd_option(call, "older");
    struct lr_journal_prune o = {.other_versions =
                                     cmd_option(call, "other-versions")->is_set,
                                 .damaged = cmd_option(call, "damaged")->is_set};
    int64_t n_removed, n_left;

    if (older->is_set)
        o.before = (int64_t)time(NULL) - older->i * 86400;
    enum lr_status st = lr_journal_prune(&n_removed, &n_left, path, &o, &e->err);
    if (!st)
        cmd_say(c, "%lld lines removed, %lld left", (long long)n_removed,
                (long long)n_left);
    return st;
}

static enum lr_status run_merge(struct cmd_ctx *c, const struct cmd_call *call,
                                const char *path, struct cmd_error *e)
{
    const struct cmd_value *given[] = {cmd_arg(call, "A"), cmd_arg(call, "B")};
    const struct cmd_value *prefer = cmd_option(call, "prefer");
    const struct lr_journal_conflicts conflicts = {say_conflict, c};
    struct lr_journal_merged m;
    char *files[2] = {NULL, NULL};
    int n = 0;
    enum lr_status st = LR_OK;

    for (int i = 0; !st && i < 2 && given[i]->is_set; i++)
        st = cmd_path(&files[n++], given[i], e);
    if (!st && n == 0)
        st = lr_err_set(&e->err, LR_EINVAL, "name the journals to be merged");
    if (!st)
        st = lr_journal_merge(&m, path, (const char *const *)files, n,
                              !prefer->is_set  ? LR_JOURNAL_REFUSE
                              : prefer->i == 0 ? LR_JOURNAL_FIRST
                                               : LR_JOURNAL_LAST,
                              &conflicts, &e->err);
    if (!st)
        cmd_say(c, "%lld records added, %lld known before; %lld lines in %s",
                (long long)m.n_added, (long long)m.n_known, (long long)m.n_left, path);
    if (!st && m.n_damaged)
        cmd_warn(c, "%lld damaged lines were passed over", (long long)m.n_damaged);
    lr_free(files[0]);
    lr_free(files[1]);
    return st;
}

enum { WHAT_LIST, WHAT_VERIFY, WHAT_PRUNE, WHAT_MERGE };

static enum lr_status run_journal(struct cmd_ctx *c, const struct cmd_call *call,
                                  struct cmd_error *e)
{
    const struct cmd_value *what = cmd_arg(call, "WHAT"), *a = cmd_arg(call, "A");
    const struct cmd_value *to = cmd_option(call, "to");
    char *path = NULL;
    enum lr_status st;

    if (what->i == WHAT_LIST)
        return run_list(c, call, e);
    if (what->i == WHAT_MERGE)
        st = to->is_set ? cmd_path(&path, to, e) : journal_path(&path, e);
    else
        st = a->is_set ? cmd_path(&path, a, e) : journal_path(&path, e);
    if (!st && what->i == WHAT_VERIFY)
        st = run_verify(c, path, e);
    else if (!st && what->i == WHAT_PRUNE)
        st = run_prune(c, call, path, e);
    else if (!st)
        st = run_merge(c, call, path, e);
    lr_free(path);
    return st;
}

static const char *const whats[] = {"list", "verify", "prune", "merge", NULL};
static const char *const prefers[] = {"first", "last", NULL};
static const struct cmd_param args[] = {
    {.name = "WHAT", .type = CMD_T_CHOICE, .choices = whats},
    {.name = "A",
     .type = CMD_T_PATH_IN,
     .flags = CMD_OPTIONAL,
     .help = "a journal; none: this machine's"},
    {.name = "B", .type = CMD_T_PATH_IN, .flags = CMD_OPTIONAL, .help = "for merge"},
    {0}};
static const struct cmd_param options[] = {
    {.name = "what", .type = CMD_T_TEXT, .help = "list: this layer, network, or output"},
    {.name = "current", .type = CMD_T_FLAG, .help = "list: of the open network"},
    {.name = "last",
     .type = CMD_T_INT,
     .min = 1,
     .max = 1e12,
     .help = "list: the last N records"},
    {.name = "older",
     .type = CMD_T_INT,
     .min = 0,
     .max = 36500,
     .help = "prune: records older than N days"},
    {.name = "other-versions",
     .type = CMD_T_FLAG,
     .help = "prune: records of other versions of the program"},
    {.name = "damaged", .type = CMD_T_FLAG, .help = "prune: damaged lines"},
    {.name = "to", .type = CMD_T_PATH_OUT, .help = "merge: into this journal"},
    {.name = "prefer",
     .type = CMD_T_CHOICE,
     .choices = prefers,
     .help = "merge: which of two different results stays"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "jo$urnal",
     .summary = "the evaluations kept on disk",
     .detail =
         "Every evaluation is a line of journal.jsonl in the cache folder, found again\n"
         "by a hash of all that it depends on: network, images, factors, program.\n"
         "verify counts the lines and fails when one is damaged. prune drops repeated\n"
         "records and what its options say. merge adds the records of other machines'\n"
         "journals to this machine's: of one question the answer from most images\n"
         "stays; different answers from as many images are named, and nothing is\n"
         "merged unless --prefer says which stays. set journal off keeps nothing.\n",
     .examples = "journal list --last 5\njournal verify\n",
     .args = args,
     .options = options,
     .flags = CMD_TABLE,
     .run = run_journal},
};

const struct cmd_group cmd_group_journal = {"Journal", rows,
                                            sizeof(rows) / sizeof(rows[0])};
