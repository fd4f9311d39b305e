/* Files to take away: the network as ONNX, the plan as JSON, tables. */
#include <string.h>

#include "cmd/config_file.h"
#include "cmd/replay.h"
#include "cmd/report.h"
#include "cmd/tables.h"
#include "ranklab/configs.h"
#include "ranklab/export.h"

/* ---- export ---- */

enum { WHAT_ONNX, WHAT_CONFIG, WHAT_TABLE, WHAT_REPORT };

/* k: the configuration, or NULL: the plan. */
static enum lr_status export_onnx(struct cmd_ctx *c, const struct cmd_call *call,
                                  const struct lr_config *k, const char *path,
                                  struct cmd_error *e)
{
    const struct lr_export_opts o = {.config = k ? k->name : NULL,
                                     .has_all_names =
                                         cmd_option(call, "keep-names")->is_set,
                                     .is_half = cmd_option(call, "fp16")->is_set,
                                     .progress = &c->progress};
    struct lr_exported r;
    struct lr_totals t;
    char before[32], after[32], by[64] = "", blocker[256];
    enum lr_status st = lr_session_export_onnx(&r, c->session, path, &o, &e->err);

    if (st)
        return st;
    lr_session_totals(&t, c->session);
    if (k)
        t = k->totals;
    if (o.is_half && r.is_run)
        snprintf(by, sizeof(by), ": 16-bit weights change the outputs by %.2g %%",
                 100 * r.difference);
    cmd_say(c, "wrote %s (%sMAC -> %sMAC), read back%s%s", path,
            cmd_amount(before, sizeof(before), (double)t.net_macs_original),
            cmd_amount(after, sizeof(after), (double)t.net_macs),
            r.is_run ? " and compared" : "", by);
    if (!r.is_run)
        cmd_say(c, "its outputs were not compared: %s",
                lr_graph_blocker(c->session->graph, blocker, sizeof(blocker)));
    if (r.data)
        cmd_say(c, "its weights are in %s, which belongs to it", r.data);
    lr_exported_clear(&r);
    return LR_OK;
}

static enum lr_status write_table(struct cmd_ctx *c, struct out_table *t,
                                  const char *name, const char *path, struct cmd_error *e)
{
    struct lr_strbuf b = {0};
    enum lr_status st =
        out_table_render(&b, t, out_format_of(path), c->settings.is_ascii, &e->err);

    if (!st && b.is_failed)
        st = lr_enomem(&e->err, b.len, "a table");
    /* Which layers are slower differs from one measurement to the next, and predictions
     * with what the journal knows by then. */
    if (!st && strcmp(name, "time") != 0 && strcmp(name, "predict") != 0)
        st = cmd_digest_add(c, name, t, &e->err);
    if (!st)
        st = lr_file_write(path, b.s ? b.s : "", b.len, &e->err);
    if (!st)
        cmd_say(c, "wrote %s", path);
    lr_strbuf_free(&b);
    out_table_free(t);
    return st;
}

static enum lr_status unknown_table(const struct cmd_value *what, struct cmd_error *e)
{
    struct lr_strbuf names = {0};

    for (size_t i = 0; i < cmd_n_tables; i++)
        lr_strbuf_printf(&names, "%s%s",
                         i == 0                 ? ""
                         : i < cmd_n_tables - 1 ? ", "
                                                : " and ",
                         cmd_tables[i].name);
    enum lr_status st =
        cmd_fail_at(e, what->begin, LR_EINVAL, "unknown table %s; there are %s",
                    what->text, names.s ? names.s : "others");
    lr_strbuf_free(&names);
    return st;
}

static enum lr_status export_table(struct cmd_ctx *c, const struct cmd_value *what,
                                   const char *path, struct cmd_error *e)
{
    const struct cmd_named_table *row = cmd_table_find(what->text);
    const char *missing = row && row->missing ? row->missing(c) : NULL;
    struct out_table t;

    if (!row)
        return unknown_table(what, e);
    if (missing)
        return cmd_fail_at(e, what->begin, LR_EINVAL, "%s", missing);
    enum lr_status st = row->make(&t, c, e);
    return st ? st : write_table(c, &t, row->name, path, e);
}

static enum lr_status run_export(struct cmd_ctx *c, const struct cmd_call *call,
                                 struct cmd_error *e)
{
    const struct cmd_value *what = cmd_arg(call, "WHAT"),
                           *a = cmd_arg(call, "FILE|TABLE"), *b = cmd_arg(call, "FILE");
    const struct cmd_value *config = cmd_option(call, "config");
    const struct lr_config *k = NULL;
    bool is_table = what->i == WHAT_TABLE;
    char *path = NULL;
    enum lr_status st;

    if (is_table && !b->is_set) {
        cmd_hint(e, "such as export table layers layers.csv");
        return cmd_fail_at(e, call->tokens.end, LR_EINVAL, "the file is missing");
    }
    if (!is_table && b->is_set)
        return cmd_fail_at(e, b->begin, LR_EINVAL, "unexpected %s", b->text);
    if (config->is_set && (is_table || what->i == WHAT_REPORT))
        return cmd_fail_at(e, config->begin, LR_EINVAL,
                           "--config is for onnx and config; use makes it the plan");
    if (config->is_set &&
        lr_session_find_config(&k, c->session, config->text, &e->err) != LR_OK)
        return cmd_blame(e, config);
    for (size_t i = 0; i < 2; i++) {
        const struct cmd_value *v = cmd_option(call, i ? "fp16" : "keep-names");
        if (v->is_set && what->i != WHAT_ONNX)
            return cmd_fail_at(e, v->begin, LR_EINVAL, "--%s is for onnx",
                               i ? "fp16" : "keep-names");
    }
    st = cmd_path_out(&path, c, is_table ? b : a, e);
    if (st)
        return st;
    if (what->i == WHAT_ONNX)
        st = export_onnx(c, call, k, path, e);
    else if (what->i == WHAT_CONFIG)
        st = cmd_export_config(c, k ? k->name : NULL, path, e);
    else if (what->i == WHAT_REPORT)
        st = cmd_export_report(c, path, e);
    else
        st = export_table(c, a, path, e);
    if (st == LR_EIO && !e->has_place)
        cmd_blame(e, is_table ? b : a);
    lr_free(path);
    return st;
}

/* ---- rows ---- */

static const char *const things[] = {"onnx", "config", "table", "report", NULL};
static const struct cmd_param export_args[] = {
    {.name = "WHAT", .type = CMD_T_CHOICE, .choices = things, .help = "what to write"},
    {.name = "FILE|TABLE",
     .type = CMD_T_PATH_OUT,
     .choices = cmd_table_names,
     .when = "table",
     .help = "for table: which one"},
    {.name = "FILE", .type = CMD_T_PATH_OUT, .flags = CMD_OPTIONAL, .help = "for table"},
    {0}};

static const struct cmd_param export_options[] = {
    {.name = "config",
     .type = CMD_T_CONFIG,
     .help = "a kept configuration instead of the plan"},
    {.name = "keep-names",
     .type = CMD_T_FLAG,
     .help = "onnx: every value the file names stays, what is folded too"},
    {.name = "fp16",
     .type = CMD_T_FLAG,
     .help = "onnx: new weights are stored as 16-bit floats"},
    {0}};

static const struct cmd_row rows[] = {
    {.name = "exp$ort",
     .key = "F9",
     .typed = "export onnx ...",
     .summary = "write the faster network, the plan, a table or a report",
     .detail =
         "onnx: the network's own file with the split layers replaced; nodes, names,\n"
         "opset and metadata stay, and entries ranklab.* say what was done. It is read\n"
         "back and its outputs compared before ok is said. What was folded into a layer\n"
         "(batch normalisation, a constant added) goes with it; with --keep-names it\n"
         "stays behind the split, so that every value the file names is still there.\n"
         "--fp16 stores the new weights as 16-bit floats; computed is in the type that\n"
         "was. Weights beyond 2 GB go to FILE-HASH.data beside the file.\n"
         "config: ranks, methods and what was measured, as JSON. table: layers, cost,\n"
         "error, eval, configs, sweep (single layers), networks (sweep --speedup),\n"
         "predict or time; the file's ending picks csv, json, md or text.\n"
         "report: a folder with the choice, all tables and curves that are known as one\n"
         "page (HTML and Markdown), the script that makes it again, the configuration\n"
         "and SHA256SUMS. Where ONNX Runtime is at hand (see time) it says what the\n"
         "exported file takes there. An older report is replaced, any other folder "
         "refused.\n",
     .examples = "export onnx fast.onnx\n"
                 "export onnx tapped.onnx --keep-names\n"
                 "export table layers layers.csv\n"
                 "export report report\n",
     .args = export_args,
     .options = export_options,
     .flags = CMD_NEEDS_MODEL,
     .run = run_export},
};

const struct cmd_group cmd_group_output = {"Files", rows, sizeof(rows) / sizeof(rows[0])};
