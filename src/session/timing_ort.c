/* Timing in ONNX Runtime. The networks are written into a private folder, with every
 * value named v12_ and every node n7_ by its number; a program for node runs them in
 * turn, looks at ONNX Runtime's own profile, and prints what each of them took under its
 * number. Fused nodes keep one of the names, so their time comes back to the layer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out/folder.h"
#include "out/spawn.h"
#include "ranklab/mem.h"
#include "ranklab/onnx.h"
#include "session/internal.h"
#include "session/timing.h"

enum { MAX_NETS = 16, TIMEOUT_MS = 3600 * 1000 };

/* ---- what the helper printed ---- */

/* The samples of one layer or of the whole; several nodes of a layer add up. */
static enum lr_status add_column(struct timing_runs *r, int column, const char *numbers,
                                 struct lr_err *e)
{
    size_t stride = (size_t)r->n_layers + 1;
    int n = 0;
    char *end;

    for (const char *p = numbers; *p && *p != '\n'; p = end, n++) {
        double ms = strtod(p, &end);
        if (end == p || !(ms >= 0))
            return lr_err_set(e, LR_EBACKEND, "the timing helper printed no number");
        if (n < r->n_runs)
            r->ms[(size_t)n * stride + (size_t)column] += ms;
    }
    if (n == r->n_runs)
        return LR_OK;
    return lr_err_set(e, LR_EBACKEND, "the timing helper printed %d runs of %d", n,
                      r->n_runs);
}

static int count_numbers(const char *numbers)
{
    int n = 0;

    for (const char *p = numbers; *p && *p != '\n'; p++)
        n += *p == ' ';
    return n + 1;
}

/* The layer that a name's time belongs to; -1: none. */
static int owner_of(const struct timing_net *net, const char *name)
{
    char *end;
    long i = strtol(name + 1, &end, 10);

    if (end == name + 1 || i < 0)
        return -1;
    if (name[0] == 'v' && i < net->g->n_values)
        i = net->g->values[i].producer;
    else if (name[0] != 'n')
        return -1;
    return i >= 0 && i < net->g->n_nodes ? net->owner[i] : -1;
}

static enum lr_status parse_line(struct timing_runs *out, char *version, const char *line,
                                 const struct timing_net *nets, int n, int n_layers,
                                 bool has_whole, struct lr_err *e)
{
    char kind[8] = "", name[32] = "";
    int model = -1, at = 0, column = -1;

    if (sscanf(line, "version %63[^\n]", version) == 1)
        return LR_OK;
    if (sscanf(line, "%7s %d %31s %n", kind, &model, name, &at) < 3 || model < 0 ||
        model >= n || at < 1)
        return lr_err_set(e, LR_EBACKEND, "the timing helper printed '%.60s'", line);
    if (strcmp(kind, "node") == 0)
        column = owner_of(&nets[model], name);
    else if (strcmp(kind, has_whole ? "run" : "all") == 0)
        column = n_layers;
    if (column < 0)
        return LR_OK;
    struct timing_runs *r = &out[model];
    if (!r->ms) {
        r->n_layers = n_layers;
        r->n_runs = count_numbers(line + at);
        r->ms = lr_calloc((size_t)r->n_runs * ((size_t)n_layers + 1), sizeof(double));
        if (!r->ms)
            return lr_enomem(e, (size_t)r->n_runs * sizeof(double), "the runs");
    }
    return add_column(r, column, line + at, e);
}

enum lr_status timing_ort_parse(struct timing_runs *out, char *version, const char *text,
                                const struct timing_net *nets, int n, int n_layers,
                                struct lr_err *e)
{
    bool has_whole = strstr(text, "\nrun ");

    for (const char *line = text; *line;) {
        enum lr_status rc =
            parse_line(out, version, line, nets, n, n_layers, has_whole, e);
        if (rc != LR_OK)
            return rc;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    for (int i = 0; i < n; i++)
        if (!out[i].ms)
            return lr_err_set(e, LR_EBACKEND, "the timing helper printed nothing");
    return LR_OK;
}

enum lr_status timing_ort_version(char *version, const struct lr_progress *progress,
                                  struct lr_err *e)
{
    char dir[OUT_FOLDER_SIZE] = "", *helper = NULL;
    struct lr_strbuf text = {0};
    enum lr_status rc = lr_data_find(&helper, "ort-time.js", e);

    version[0] = '\0';
    if (rc == LR_OK)
        rc = out_folder_make(dir, "time", e);
    if (rc == LR_OK) {
        const char *argv[] = {"node", helper, NULL};
        struct out_program p = {argv, dir, TIMEOUT_MS, "timing in ONNX Runtime"};
        rc = out_spawn(&text, &p, progress, e);
    }
    if (rc == LR_OK && sscanf(text.s ? text.s : "", "version %63[^\n]", version) != 1)
        rc = lr_err_set(e, LR_EBACKEND, "the timing helper printed no version");
    out_folder_remove(dir);
    lr_strbuf_free(&text);
    lr_free(helper);
    return rc;
}

/* ---- files ---- */

static enum lr_status rename_to(char **name, char kind, int i, struct lr_err *e)
{
    char text[32];

    snprintf(text, sizeof(text), "%c%d_", kind, i);
    char *copy = lr_strdup(text);
    if (!copy)
        return lr_enomem(e, sizeof(text), "a name");
    lr_free(*name);
    *name = copy;
    return LR_OK;
}

/* The batch is free in the file, whatever the network's own file said. */
static enum lr_status write_net(const struct timing_net *net, const char *dir, int i,
                                struct lr_err *e)
{
    char path[OUT_FOLDER_SIZE + 32];
    struct lr_graph *g = NULL;
    enum lr_status rc = lr_graph_clone(&g, net->g, e);

    for (int v = 0; rc == LR_OK && v < g->n_values; v++)
        rc = rename_to(&g->values[v].name, 'v', v, e);
    for (int k = 0; rc == LR_OK && k < g->n_nodes; k++)
        rc = rename_to(&g->nodes[k].name, 'n', k, e);
    snprintf(path, sizeof(path), "%s/%d.onnx", dir, i);
    if (rc == LR_OK) {
        g->file_batch = 0;
        rc = lr_onnx_write(g, path, e);
    }
    lr_graph_free(g);
    return rc;
}

enum lr_status timing_measure_ort(struct timing_runs *out, char *version,
                                  const struct timing_net *nets, int n,
                                  const struct lr_session *s, const struct lr_deploy *d,
                                  const struct timing_effort *effort,
                                  const struct lr_progress *progress, struct lr_err *e)
{
    char dir[OUT_FOLDER_SIZE] = "", threads[16], batch[16], shape[8 * 21], least[16],
         most[16], target[32], files[MAX_NETS][24];
    const struct lr_value *in = &s->graph->values[s->graph->inputs[0]];
    const char *argv[32 + MAX_NETS] = {
        "node",   NULL, "--threads", threads, "--batch", batch,
        "--type", NULL, "--shape",   shape,   "--min",   least,
        "--max",  most, "--target",  target,  NULL};
    struct lr_strbuf text = {0};
    char *helper = NULL;
    int n_argv = 16;
    enum lr_status rc = lr_data_find(&helper, "ort-time.js", e);

    if (rc != LR_OK || (rc = out_folder_make(dir, "time", e)) != LR_OK)
        goto out;
    for (int i = 0; i < n; i++)
        if ((rc = lr_progress_tick(progress, 0, "writing networks", e)) != LR_OK ||
            (rc = write_net(&nets[i], dir, i, e)) != LR_OK)
            goto out;
    argv[1] = helper;
    snprintf(threads, sizeof(threads), "%d", d->threads);
    snprintf(batch, sizeof(batch), "%d", d->batch);
    argv[7] = lr_dtype_name(in->dtype);
    session_input_list(shape, sizeof(shape), s);
    snprintf(least, sizeof(least), "%d", effort->min_runs);
    snprintf(most, sizeof(most), "%d", effort->max_runs);
    snprintf(target, sizeof(target), "%.0f", effort->target_ms);
    if (effort->has_whole)
        argv[n_argv++] = "--whole";
    for (int i = 0; i < n && i < MAX_NETS; i++) {
        snprintf(files[i], sizeof(files[i]), "%d.onnx", i);
        argv[n_argv++] = files[i];
    }
    struct out_program p = {argv, dir, TIMEOUT_MS, "timing in ONNX Runtime"};
    rc = out_spawn(&text, &p, progress, e);
    if (rc == LR_OK)
        rc =
            timing_ort_parse(out, version, text.s ? text.s : "", nets, n, s->n_layers, e);
out:
    out_folder_remove(dir);
    lr_strbuf_free(&text);
    lr_free(helper);
    return rc;
}
