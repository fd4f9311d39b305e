/* Settings: one row each, with the type its value has; `set`, `show`, completion and help
 * read the rows. --seed of the command line goes through its row too. */
#include "cmd/context.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"

static const char *const formats[] = {"table", "csv", "json", "md", NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const modes[] = {"asym", "sym", "symhat", NULL};
static const char *const terminals[] = {"text", "builtin", "window", NULL};

static const char *const switches[] = {"off", "on", NULL};

static void get_threads(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    int n = c->session->settings.threads;

    lr_strbuf_printf(b, "%d", n > 0 ? n : lr_la_threads());
}

static enum lr_status set_threads(struct cmd_ctx *c, const struct cmd_value *v,
                                  struct lr_err *e)
{
    (void)e;
    c->session->settings.threads = (int)v->i;
    lr_la_set_threads((int)v->i);
    return LR_OK;
}

static void get_seed(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_printf(b, "%" PRIu64, c->session->settings.seed);
}

static enum lr_status set_seed(struct cmd_ctx *c, const struct cmd_value *v,
                               struct lr_err *e)
{
    (void)e;
    c->session->settings.seed = (uint64_t)v->i;
    return LR_OK;
}

static void get_round(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_printf(b, "%d",
                     c->session->settings.round > 1 ? c->session->settings.round : 1);
}

static enum lr_status set_round(struct cmd_ctx *c, const struct cmd_value *v,
                                struct lr_err *e)
{
    (void)e;
    c->session->settings.round = (int)v->i;
    return LR_OK;
}

static void get_mode(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, lr_mode_name(c->session->settings.mode));
}

static enum lr_status set_mode(struct cmd_ctx *c, const struct cmd_value *v,
                               struct lr_err *e)
{
    (void)e;
    c->session->settings.mode = (enum lr_mode)v->i;
    return LR_OK;
}

static void put_amount(struct lr_strbuf *b, int64_t n)
{
    if (n && n % 1000000000 == 0)
        lr_strbuf_printf(b, "%" PRId64 "G", n / 1000000000);
    else if (n && n % 1000000 == 0)
        lr_strbuf_printf(b, "%" PRId64 "M", n / 1000000);
    else
        lr_strbuf_printf(b, "%" PRId64, n);
}

static void get_memory(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    put_amount(b, c->session->settings.cache_memory);
}

static void get_max_memory(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    (void)c;
    put_amount(b, (int64_t)lr_mem_limit());
}

static enum lr_status set_max_memory(struct cmd_ctx *c, const struct cmd_value *v,
                                     struct lr_err *e)
{
    (void)c;
    if (v->i > 0 && (size_t)v->i < lr_mem_held())
        return lr_err_set(e, LR_EINVAL, "%s: %zu bytes are held already", v->text,
                          lr_mem_held());
    lr_mem_set_limit((size_t)v->i);
    return LR_OK;
}

static void get_disk(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    put_amount(b, c->session->settings.cache_disk);
}

static enum lr_status set_disk(struct cmd_ctx *c, const struct cmd_value *v,
                               struct lr_err *e)
{
    (void)e;
    c->session->settings.cache_disk = v->i;
    return LR_OK;
}

static enum lr_status set_memory(struct cmd_ctx *c, const struct cmd_value *v,
                                 struct lr_err *e)
{
    (void)e;
    c->session->settings.cache_memory = v->i;
    return LR_OK;
}

/* Two numbers, one for each stage of the nonlinear solver. */
static enum lr_status two_numbers(const struct cmd_value *v, struct lr_err *e)
{
    if (v->n_reals == 2)
        return LR_OK;
    return lr_err_set(e, LR_EINVAL, "%s: two numbers are needed, one for each stage",
                      v->text);
}

static void get_iterations(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_printf(b, "%d,%d", c->session->settings.n_iter1,
                     c->session->settings.n_iter2);
}

static enum lr_status set_iterations(struct cmd_ctx *c, const struct cmd_value *v,
                                     struct lr_err *e)
{
    enum lr_status st = two_numbers(v, e);

    for (int i = 0; !st && i < 2; i++)
        if (v->reals[i] != floor(v->reals[i]))
            st = lr_err_set(e, LR_EINVAL, "%s: not whole numbers", v->text);
    if (st)
        return st;
    c->session->settings.n_iter1 = (int)v->reals[0];
    c->session->settings.n_iter2 = (int)v->reals[1];
    return LR_OK;
}

static void get_lambda(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_printf(b, "%g,%g", c->session->settings.lambda1,
                     c->session->settings.lambda2);
}

static enum lr_status set_lambda(struct cmd_ctx *c, const struct cmd_value *v,
                                 struct lr_err *e)
{
    enum lr_status st = two_numbers(v, e);

    if (st)
        return st;
    c->session->settings.lambda1 = v->reals[0];
    c->session->settings.lambda2 = v->reals[1];
    return LR_OK;
}

static void get_format(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, formats[c->settings.format]);
}

static enum lr_status set_format(struct cmd_ctx *c, const struct cmd_value *v,
                                 struct lr_err *e)
{
    if (!out_format_parse(&c->settings.format, v->text))
        return lr_err_set(e, LR_EINVAL, "unknown format %s", v->text);
    return LR_OK;
}

static void get_color(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, colors[c->settings.color]);
}

static enum lr_status set_color(struct cmd_ctx *c, const struct cmd_value *v,
                                struct lr_err *e)
{
    (void)e;
    c->settings.color = (enum cmd_color)v->i;
    return LR_OK;
}

static void get_terminal(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, terminals[c->settings.plot_terminal]);
}

static enum lr_status set_terminal(struct cmd_ctx *c, const struct cmd_value *v,
                                   struct lr_err *e)
{
    (void)e;
    c->settings.plot_terminal = (enum cmd_plot_terminal)v->i;
    return LR_OK;
}

static void get_journal(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, switches[c->session->settings.has_journal]);
}

static enum lr_status set_journal(struct cmd_ctx *c, const struct cmd_value *v,
                                  struct lr_err *e)
{
    (void)e;
    c->session->settings.has_journal = v->i == 1;
    return LR_OK;
}

static const char *const resumes[] = {"never", "auto", "always", NULL};

static void get_resume(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, resumes[c->session->settings.resume]);
}

static enum lr_status set_resume(struct cmd_ctx *c, const struct cmd_value *v,
                                 struct lr_err *e)
{
    (void)e;
    c->session->settings.resume = (enum lr_resume)v->i;
    return LR_OK;
}

static void get_mouse(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, switches[c->settings.has_mouse]);
}

static enum lr_status set_mouse(struct cmd_ctx *c, const struct cmd_value *v,
                                struct lr_err *e)
{
    (void)e;
    c->settings.has_mouse = v->i == 1;
    return LR_OK;
}

/* ---- the deployment ---- */

static void get_deploy_batch(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_printf(b, "%d", c->session->settings.deploy.batch);
}

static enum lr_status set_deploy_batch(struct cmd_ctx *c, const struct cmd_value *v,
                                       struct lr_err *e)
{
    (void)e;
    c->session->settings.deploy.batch = (int)v->i;
    return LR_OK;
}

static void get_deploy_threads(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_printf(b, "%d", c->session->settings.deploy.threads);
}

static enum lr_status set_deploy_threads(struct cmd_ctx *c, const struct cmd_value *v,
                                         struct lr_err *e)
{
    (void)e;
    c->session->settings.deploy.threads = (int)v->i;
    return LR_OK;
}

static void get_deploy_engine(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(b, lr_deploy_engine_names[c->session->settings.deploy.engine]);
}

static enum lr_status set_deploy_engine(struct cmd_ctx *c, const struct cmd_value *v,
                                        struct lr_err *e)
{
    (void)e;
    c->session->settings.deploy.engine = (enum lr_deploy_engine)v->i;
    return LR_OK;
}

static void get_convolution(struct lr_strbuf *b, const struct cmd_ctx *c)
{
    lr_strbuf_puts(
        b,
        lr_convolution_names[c->session->settings.deploy.convolution - LR_CONV_DIRECT]);
}

static enum lr_status set_convolution(struct cmd_ctx *c, const struct cmd_value *v,
                                      struct lr_err *e)
{
    (void)e;
    lr_session_set_convolution(c->session, LR_CONV_DIRECT + (int)v->i);
    return LR_OK;
}

const struct cmd_setting cmd_settings_table[] = {
    {"threads",
     "threads that compute",
     {.name = "threads", .type = CMD_T_INT, .min = 1, .max = 4096},
     get_threads,
     set_threads},
    {"seed",
     "seed of samples drawn from now on",
     {.name = "seed", .type = CMD_T_INT, .min = 0, .max = 9e18},
     get_seed,
     set_seed},
    {"format",
     "how tables are printed: table, csv, json or md",
     {.name = "format", .type = CMD_T_CHOICE, .choices = formats},
     get_format,
     set_format},
    {"color",
     "colour of messages: auto, always or never",
     {.name = "color", .type = CMD_T_CHOICE, .choices = colors},
     get_color,
     set_color},
    {"mode",
     "what solve compares with: asym, sym or symhat",
     {.name = "mode", .type = CMD_T_CHOICE, .choices = modes},
     get_mode,
     set_mode},
    {"round",
     "ranks are chosen as multiples of this",
     {.name = "round", .type = CMD_T_INT, .min = 1, .max = 4096},
     get_round,
     set_round},
    {"iterations",
     "iterations of the nonlinear solver in its two stages",
     {.name = "iterations", .type = CMD_T_REALS, .min = 0, .max = 10000},
     get_iterations,
     set_iterations},
    {"lambda",
     "penalty of the nonlinear solver in its two stages",
     {.name = "lambda", .type = CMD_T_REALS, .min = 1e-9, .max = 1e9},
     get_lambda,
     set_lambda},
    {"cache-memory",
     "bytes for activations kept while solving",
     {.name = "cache-memory", .type = CMD_T_AMOUNT, .min = 0, .max = 1e15},
     get_memory,
     set_memory},
    {"cache-disk",
     "bytes of the disk for those that do not fit there (0: none)",
     {.name = "cache-disk", .type = CMD_T_AMOUNT, .min = 0, .max = 1e15},
     get_disk,
     set_disk},
    {"max-memory",
     "bytes the program may hold; work that needs more is refused (0: no limit)",
     {.name = "max-memory", .type = CMD_T_AMOUNT, .min = 0, .max = 1e15},
     get_max_memory,
     set_max_memory},
    {"resume",
     "whether a solve that was stopped is taken up: auto (long ones), always or never",
     {.name = "resume", .type = CMD_T_CHOICE, .choices = resumes},
     get_resume,
     set_resume},
    {"deploy-batch",
     "images in a batch where milliseconds are measured",
     {.name = "deploy-batch", .type = CMD_T_INT, .min = 1, .max = 65536},
     get_deploy_batch,
     set_deploy_batch},
    {"deploy-threads",
     "threads where milliseconds are measured; 0: as threads",
     {.name = "deploy-threads", .type = CMD_T_INT, .min = 0, .max = 4096},
     get_deploy_threads,
     set_deploy_threads},
    {"deploy-engine",
     "what milliseconds are measured with: onednn or onnxruntime",
     {.name = "deploy-engine", .type = CMD_T_CHOICE, .choices = lr_deploy_engine_names},
     get_deploy_engine,
     set_deploy_engine},
    {"convolution",
     "how oneDNN convolves: direct, winograd or auto (the faster one)",
     {.name = "convolution", .type = CMD_T_CHOICE, .choices = lr_convolution_names},
     get_convolution,
     set_convolution},
    {"plot-terminal",
     "where plot draws without --to: text, builtin or window",
     {.name = "plot-terminal", .type = CMD_T_CHOICE, .choices = terminals},
     get_terminal,
     set_terminal},
    {"journal",
     "whether evaluations are kept on disk and asked for there: on or off",
     {.name = "journal", .type = CMD_T_CHOICE, .choices = switches},
     get_journal,
     set_journal},
    {"mouse",
     "whether the panes take the mouse: on or off",
     {.name = "mouse", .type = CMD_T_CHOICE, .choices = switches},
     get_mouse,
     set_mouse},
};
const size_t cmd_n_settings = sizeof(cmd_settings_table) / sizeof(cmd_settings_table[0]);

const struct cmd_setting *cmd_setting_find(const char *name)
{
    for (size_t i = 0; i < cmd_n_settings; i++)
        if (strcmp(cmd_settings_table[i].name, name) == 0)
            return &cmd_settings_table[i];
    return NULL;
}

enum lr_status cmd_setting_set(struct cmd_ctx *c, const char *name, const char *value,
                               struct cmd_error *e)
{
    const struct cmd_setting *s = cmd_setting_find(name);
    struct cmd_value v = {.is_set = true, .text = value};

    if (!s)
        return lr_err_set(&e->err, LR_EINVAL, "unknown setting %s", name);
    enum lr_status st = cmd_types[s->value.type].parse(&v, &s->value, e);
    return st ? st : s->set(c, &v, &e->err);
}
