/* The file that would be exported against the network's own, timed in ONNX Runtime by the
 * clock around whole runs: what others will find, whatever it is. */
#include <stdio.h>
#include <string.h>

#include "out/folder.h"
#include "out/spawn.h"
#include "ranklab/export.h"
#include "ranklab/mem.h"
#include "session/internal.h"
#include "session/timing.h"

enum { TIMEOUT_MS = 600 * 1000 };
static const char min_runs[] = "15", max_runs[] = "300", target_ms[] = "1000";

static enum lr_status measure(struct timing_runs *runs, char *version,
                              const struct lr_session *s, const struct lr_deploy *d,
                              const char *dir, const struct lr_progress *progress,
                              struct lr_err *e)
{
    char threads[16], batch[16], shape[8 * 21];
    struct lr_strbuf text = {0};
    char *helper = NULL;
    enum lr_status rc = lr_data_find(&helper, "ort-time.js", e);
    const struct lr_value *in = &s->graph->values[s->graph->inputs[0]];
    const char *argv[] = {
        "node",    helper,    "--threads",    threads,       "--batch",
        batch,     "--shape", shape,          "--type",      lr_dtype_name(in->dtype),
        "--min",   min_runs,  "--max",        max_runs,      "--target",
        target_ms, "--whole", "--no-profile", s->model_path, "now.onnx",
        NULL};
    struct out_program p = {argv, dir, TIMEOUT_MS, "timing in ONNX Runtime"};

    if (rc != LR_OK)
        return rc;
    snprintf(threads, sizeof(threads), "%d", d->threads);
    snprintf(batch, sizeof(batch), "%d", d->batch);
    session_input_list(shape, sizeof(shape), s);
    rc = out_spawn(&text, &p, progress, e);
    if (rc == LR_OK)
        rc = timing_ort_parse(runs, version, text.s ? text.s : "", NULL, 2, 0, e);
    lr_strbuf_free(&text);
    lr_free(helper);
    return rc;
}

enum lr_status lr_session_time_files(struct lr_time_row *out, char version[64],
                                     struct lr_deploy *d, struct lr_session *s,
                                     const struct lr_progress *progress, struct lr_err *e)
{
    struct lr_export_opts plain = {.progress = progress};
    char dir[OUT_FOLDER_SIZE] = "", path[OUT_FOLDER_SIZE + 16];
    struct timing_runs runs[2] = {{0}};
    struct lr_exported written = {0};
    enum lr_status rc = session_need_network(s, e);

    version[0] = '\0';
    if (rc != LR_OK)
        return rc;
    *d = lr_session_deploy(s);
    d->engine = LR_DEPLOY_ONNXRUNTIME;
    /* A file that fixes the batch takes no other. */
    if (s->graph->file_batch > 0)
        d->batch = (int)s->graph->file_batch;
    if ((rc = out_folder_make(dir, "time", e)) != LR_OK)
        return rc;
    snprintf(path, sizeof(path), "%s/now.onnx", dir);
    if ((rc = lr_session_export_onnx(&written, s, path, &plain, e)) == LR_OK &&
        (rc = measure(runs, version, s, d, dir, progress, e)) == LR_OK) {
        out->original = timing_stat(&runs[0], 0);
        out->now = timing_stat(&runs[1], 0);
    }
    lr_exported_clear(&written);
    timing_runs_free(&runs[0]);
    timing_runs_free(&runs[1]);
    out_folder_remove(dir);
    return rc;
}
