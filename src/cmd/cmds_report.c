/* `export report DIR`: the choice, the tables and the curves on one page, with the script
 * that makes them again, the configuration, and sums of it all. What is not known is said
 * to be missing. */
#include "cmd/report.h"

#include <math.h>
#include <string.h>

#include "cmd/plots.h"
#include "cmd/tables.h"
#include "out/report.h"
#include "ranklab/configs.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/timing.h"

enum { MAX_SVG = 1 << 26 };
static const char session_name[] = "session.rl", config_name[] = "config.json";

struct job {
    struct cmd_ctx *c;
    struct out_report r;
    struct out_folder f;
};

/* ---- the choice ---- */

static void add_accuracy(struct lr_strbuf *b, const struct lr_session *s)
{
    const struct lr_eval *v = &s->last_eval;

    if (!s->has_eval)
        lr_strbuf_puts(b, " Its accuracy was not evaluated.");
    else if (isnan(v->top1_difference))
        lr_strbuf_printf(b,
                         " It gives the same answer as the original on %.2f %% of %lld "
                         "images, with an output error of %.3g.",
                         100 * v->agreement, (long long)v->images, v->output_error);
    else
        lr_strbuf_printf(b,
                         " Its top-1 accuracy is %.2f %%, the original's %.2f %%: a "
                         "difference of %+.2f points (95 %% interval %+.2f to %+.2f, on "
                         "%lld images).",
                         100 * v->top1, 100 * v->top1_original, 100 * v->top1_difference,
                         100 * v->difference_low, 100 * v->difference_high,
                         (long long)v->images);
}

static void add_time(struct lr_strbuf *b, const struct lr_session *s)
{
    struct lr_deploy d = lr_session_deploy(s);
    char where[96];
    double ms, original;

    lr_session_ms(&ms, &original, s, -1);
    if (isnan(ms) || isnan(original))
        lr_strbuf_puts(b, "Nothing was timed layer by layer.");
    else
        lr_strbuf_printf(
            b, "One batch takes %.3f ms instead of %.3f ms (%.2f times%s; %s).", ms,
            original, original / ms,
            lr_session_is_timed(s) ? ", measured" : ", put together from measured layers",
            lr_deploy_text(where, sizeof(where), &d));
}

/* What ONNX Runtime makes of the two files, or why that is not known. */
static enum lr_status add_file_time(struct job *j, bool is_split, struct cmd_error *e)
{
    static const char how[] =
        "time --via onnxruntime measures it where node and the module onnxruntime-node "
        "are there";
    char version[64], reason[sizeof(e->err.msg)] = "--safe starts no program";
    struct lr_time_row r = {0};
    struct lr_deploy d;
    struct lr_err why = {0};
    enum lr_status st = LR_EUNSUP;

    if (!is_split)
        return LR_OK;
    if (!j->c->settings.is_safe) {
        st = lr_session_time_files(&r, version, &d, j->c->session, &j->c->progress, &why);
        if (st == LR_EINTR || st == LR_ENOMEM || st == LR_EIO)
            return lr_err_set(&e->err, st, "%s", why.msg);
        snprintf(reason, sizeof(reason), "%s", why.msg);
    }
    if (st)
        out_report_text(&j->r, OUT_PARAGRAPH,
                        "The exported file was not timed in ONNX Runtime (%s); %s.",
                        reason, how);
    else
        out_report_text(&j->r, OUT_PARAGRAPH,
                        "In ONNX Runtime %s the exported file takes %.3f ms (quartiles "
                        "%.3f to %.3f) for a batch of %d, the original %.3f ms (%.3f to "
                        "%.3f): %.2f times as fast, on %d thread%s, medians of %d runs.",
                        version, r.now.ms, r.now.low, r.now.high, d.batch, r.original.ms,
                        r.original.low, r.original.high, r.original.ms / r.now.ms,
                        d.threads, d.threads == 1 ? "" : "s", r.now.n_runs);
    return LR_OK;
}

static enum lr_status add_choice(struct job *j, struct cmd_error *e)
{
    const struct lr_session *s = j->c->session;
    struct lr_strbuf b = {0};
    struct lr_totals t;
    char amount[4][32];
    int n_chosen = 0, n_stale = 0, n_split = 0;

    for (int i = 0; i < s->n_layers; i++) {
        enum lr_state state = lr_session_state(s, i);
        n_chosen += state == LR_STATE_CHOSEN;
        n_stale += state == LR_STATE_STALE;
        n_split += state != LR_STATE_WHOLE;
    }
    lr_session_totals(&t, s);
    lr_strbuf_printf(
        &b,
        "%s with %d of %d layers approximated: %.2f times fewer multiply-adds in the "
        "convolutions, %.2f times in the whole network (%sMAC instead of %sMAC, and %s "
        "instead of %s parameters).",
        s->model_name, n_split, s->n_layers, t.speedup, t.net_speedup,
        cmd_amount(amount[0], sizeof(amount[0]), (double)t.net_macs),
        cmd_amount(amount[1], sizeof(amount[1]), (double)t.net_macs_original),
        cmd_amount(amount[2], sizeof(amount[2]), (double)t.net_params),
        cmd_amount(amount[3], sizeof(amount[3]), (double)t.net_params_original));
    add_accuracy(&b, s);
    if (n_chosen)
        lr_strbuf_printf(&b, " %d layer%s chosen and not solved yet.", n_chosen,
                         n_chosen == 1 ? " is" : "s are");
    if (n_stale)
        lr_strbuf_printf(&b, " %d layer%s stale: solve makes them anew.", n_stale,
                         n_stale == 1 ? " is" : "s are");
    out_report_text(&j->r, OUT_LEAD, "%s", b.s ? b.s : "");
    j->r.is_failed = j->r.is_failed || b.is_failed;
    lr_strbuf_reset(&b);
    add_time(&b, s);
    out_report_text(&j->r, OUT_PARAGRAPH, "%s", b.s ? b.s : "");
    j->r.is_failed = j->r.is_failed || b.is_failed;
    lr_strbuf_free(&b);
    return add_file_time(j, n_split > 0, e);
}

/* ---- tables ---- */

static enum lr_status add_table(struct job *j, const struct cmd_named_table *row,
                                struct cmd_error *e)
{
    const char *missing = row->missing ? row->missing(j->c) : NULL;
    struct lr_strbuf csv = {0};
    struct out_table t;
    char name[32];

    if (missing)
        return LR_OK;
    enum lr_status st = row->make(&t, j->c, e);
    if (st)
        return st;
    snprintf(name, sizeof(name), "%s.csv", row->name);
    st = out_table_render(&csv, &t, OUT_CSV, false, &e->err);
    if (!st)
        st = out_folder_write(&j->f, name, &csv, &e->err);
    lr_strbuf_free(&csv);
    out_report_text(&j->r, OUT_HEADING, "%s", row->title);
    out_report_table(&j->r, &t);
    return st;
}

/* ---- curves ---- */

/* Draws one; what keeps it from being drawn (no measurements, no gnuplot) is told to why,
 * and ends nothing. */
static enum lr_status draw(bool *is_drawn, struct job *j, const char *kind,
                           const char *path, char **caption, struct lr_strbuf *why,
                           struct cmd_error *e)
{
    struct cmd_drawing d = {0};
    struct cmd_error problem = {0};
    enum lr_status st = cmd_plot_make(&d, j->c, kind, &problem);

    if (!st) {
        *caption = lr_strdup(d.plot.title ? d.plot.title : kind);
        st = j->c->settings.is_safe
                 ? lr_err_set(&problem.err, LR_EUNSUP,
                              "it needs gnuplot, and --safe starts no program")
                 : out_plot_file(&d.plot, path, &j->c->progress, &problem.err);
    }
    cmd_drawing_free(&d);
    *is_drawn = st == LR_OK;
    if (st == LR_EINTR || st == LR_ENOMEM || st == LR_EIO)
        return lr_err_set(&e->err, st, "%s", problem.err.msg);
    if (st)
        lr_strbuf_printf(why, "%s%s: %s", why->len ? "; " : "", kind, problem.err.msg);
    return LR_OK;
}

static enum lr_status add_curve(struct job *j, const char *kind, struct lr_strbuf *why,
                                struct cmd_error *e)
{
    char name[32], *caption = NULL, *svg = NULL;
    struct lr_strbuf temp = {0};
    bool is_drawn = false;
    size_t n = 0;

    snprintf(name, sizeof(name), "%s.svg", kind);
    lr_strbuf_printf(&temp, "%s/%s", j->f.temp, name);
    enum lr_status st = temp.is_failed
                            ? lr_enomem(&e->err, temp.len, "a path")
                            : draw(&is_drawn, j, kind, temp.s, &caption, why, e);
    if (!st && is_drawn) {
        char *listed = out_folder_add(&j->f, name);
        st = listed ? lr_file_read(&svg, &n, listed, MAX_SVG, &e->err)
                    : lr_enomem(&e->err, 1, "a path");
        lr_free(listed);
        struct out_block *k = st ? NULL : out_report_add(&j->r, OUT_FIGURE);
        if (k) {
            *k = (struct out_block){
                .kind = OUT_FIGURE, .text = caption, .file = lr_strdup(name), .svg = svg};
            caption = svg = NULL;
        }
    }
    lr_free(svg);
    lr_free(caption);
    lr_strbuf_free(&temp);
    return st;
}

/* A report measures no tables: plot latency would, where there are none. */
static bool has_latency(const struct lr_session *s)
{
    struct lr_deploy d = lr_session_deploy(s);
    bool has = false;

    for (int i = 0; i < s->n_layers; i++)
        has = has || lr_session_ms_table(s, &d, i);
    return has;
}

static enum lr_status add_curves(struct job *j, struct cmd_error *e)
{
    struct lr_strbuf why = {0};
    enum lr_status st = LR_OK;

    out_report_text(&j->r, OUT_HEADING, "Curves");
    for (size_t i = 0; !st && cmd_plot_kinds[i]; i++)
        if (strcmp(cmd_plot_kinds[i], "latency") != 0 || has_latency(j->c->session))
            st = add_curve(j, cmd_plot_kinds[i], &why, e);
    if (!st && why.len)
        out_report_text(&j->r, OUT_PARAGRAPH, "Not drawn: %s.", why.s);
    j->r.is_failed = j->r.is_failed || why.is_failed;
    lr_strbuf_free(&why);
    return st;
}

/* ---- how it was made ---- */

/* The script so far, without the reports it wrote: a replay shall not write over them. */
static enum lr_status add_script(struct job *j, struct cmd_error *e)
{
    static const char skipped[] = "export report ";
    struct lr_strbuf all = {0}, kept = {0};

    cmd_record_text(&all, j->c);
    for (const char *line = all.s ? all.s : ""; *line;) {
        size_t n = strcspn(line, "\n") + 1;
        if (strncmp(line, skipped, sizeof(skipped) - 1) != 0)
            lr_strbuf_add(&kept, line, n);
        line += n;
    }
    enum lr_status st = all.is_failed
                            ? lr_enomem(&e->err, all.len, "a script")
                            : out_folder_write(&j->f, session_name, &kept, &e->err);
    out_report_text(&j->r, OUT_HEADING, "How to make it again");
    out_report_text(&j->r, OUT_PARAGRAPH,
                    "%s holds the commands below; ranklab -b -e \"replay %s\" runs them "
                    "and compares every table with its digest. %s is the choice as "
                    "import config reads it, the .csv files hold the tables with all "
                    "columns, and sha256sum -c SHA256SUMS checks the files.",
                    session_name, session_name, config_name);
    out_report_text(&j->r, OUT_CODE, "%s", kept.s ? kept.s : "");
    lr_strbuf_free(&all);
    lr_strbuf_free(&kept);
    return st;
}

static void add_fact(struct out_table *t, const char *what, const char *value)
{
    if (!value)
        return;
    out_text(t, what);
    out_text(t, value);
}

static void add_facts(struct job *j)
{
    static const struct out_column columns[] = {{"what", "what", OUT_TEXT, 0, 0},
                                                {"value", "value", OUT_TEXT, 0, 0}};
    const struct lr_session *s = j->c->session;
    struct out_table t;
    char blas[128], engine[128], threads[32];

    snprintf(threads, sizeof(threads), "%d", lr_la_threads());
    out_table_init(&t, columns, 2);
    add_fact(&t, "network", s->model_name);
    add_fact(&t, "network, SHA-256", s->model_sha256);
    if (s->calib)
        add_fact(&t, "calibration images, SHA-256", lr_dataset_hash(s->calib));
    if (s->eval)
        add_fact(&t, "evaluation images, SHA-256", lr_dataset_hash(s->eval));
    add_fact(&t, "ranklab", PACKAGE_VERSION);
    add_fact(&t, "linear algebra", lr_la_version(blas, sizeof(blas)));
    add_fact(&t, "convolutions", lr_engine_version(engine, sizeof(engine)));
    add_fact(&t, "threads", threads);
    out_report_text(&j->r, OUT_HEADING, "Hashes and versions");
    out_report_table(&j->r, &t);
}

static enum lr_status add_config(struct job *j, struct cmd_error *e)
{
    char *path = out_folder_add(&j->f, config_name);
    enum lr_status st = path
                            ? lr_session_export_config(j->c->session, NULL, path, &e->err)
                            : lr_enomem(&e->err, 1, "a path");

    lr_free(path);
    return st;
}

static enum lr_status write_pages(struct job *j, struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    enum lr_status st = out_report_html(&b, &j->r, &e->err);

    if (!st)
        st = out_folder_write(&j->f, "report.html", &b, &e->err);
    lr_strbuf_reset(&b);
    if (!st)
        st = out_report_markdown(&b, &j->r, &e->err);
    if (!st)
        st = out_folder_write(&j->f, "report.md", &b, &e->err);
    lr_strbuf_free(&b);
    return st;
}

enum lr_status cmd_export_report(struct cmd_ctx *c, const char *path, struct cmd_error *e)
{
    struct job j = {.c = c};
    struct lr_strbuf title = {0};
    enum lr_status st = lr_session_settle(c->session, &c->progress, &e->err);

    if (!st)
        st = out_folder_begin(&j.f, path, &e->err);
    if (st)
        return st;
    lr_strbuf_printf(&title, "%s, made faster", c->session->model_name);
    j.r.title = lr_strbuf_take(&title);
    j.r.is_failed = !j.r.title;
    st = add_choice(&j, e);
    for (size_t i = 0; !st && i < cmd_n_tables; i++)
        st = add_table(&j, &cmd_tables[i], e);
    if (!st)
        st = add_curves(&j, e);
    if (!st)
        st = add_script(&j, e);
    if (!st)
        add_facts(&j);
    if (!st)
        st = add_config(&j, e);
    if (!st)
        st = write_pages(&j, e);
    if (!st)
        st = out_folder_commit(&j.f, &e->err);
    if (!st)
        cmd_say(c, "wrote %s: report.html, report.md and what they are made of", path);
    out_folder_abort(&j.f);
    out_report_free(&j.r);
    return st;
}
