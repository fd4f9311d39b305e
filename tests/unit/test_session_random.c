/* Sessions of random commands on small networks. After each command the session is looked
 * at: a command that failed or was stopped has changed nothing, undo and redo give back
 * what was, and what a plan says of its layers goes together. At the end the session is
 * replayed from its own script where nothing is remembered of it, and its tables have to
 * come out as they did.
 *
 * RANDOM_SESSIONS=N runs N of them instead of a few, RANDOM_SEED=S begins with another
 * one, RANDOM_SHOW=1 tells what they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/context.h"
#include "random_commands.h"
#include "ranklab/file.h"
#include "session/internal.h"
#include "session_fixture.h"

enum { N_SESSIONS = 5, N_COMMANDS = 60 };

struct random {
    struct fx_folder folder;
    struct lr_session s;
    struct cmd_ctx c;
    struct lr_strbuf out, err;
    struct lr_rng rng;
    int ticks_left; /* until the work is stopped; < 0: never */
    bool is_shown;
    uint64_t seed;
    char command[512];
};

static void take(void *ctx, enum cmd_stream stream, enum cmd_style style,
                 const char *text, size_t n)
{
    struct random *t = ctx;

    (void)style;
    lr_strbuf_add(stream == CMD_OUT ? &t->out : &t->err, text, n);
}

static int tick(void *ctx, double fraction, const char *what)
{
    struct random *t = ctx;

    (void)what;
    assert_true(fraction >= 0 && fraction <= 1 + 1e-9);
    return t->ticks_left >= 0 && t->ticks_left-- == 0;
}

/* cmocka's own messages are cut. */
#define BROKEN(t, ...)                                                                   \
    do {                                                                                 \
        fprintf(stderr, "seed %" PRIu64 ", %s: ", (t)->seed, (t)->command);              \
        fprintf(stderr, __VA_ARGS__);                                                    \
        fputc('\n', stderr);                                                             \
        fail();                                                                          \
    } while (0)

/* ---- what a session is ---- */

static void put_real(struct lr_strbuf *b, double x)
{
    lr_strbuf_printf(b, " %.17g", x);
}

static void put_plan(struct lr_strbuf *b, const struct lr_layer_plan *plan, int n)
{
    for (int i = 0; plan && i < n; i++) {
        const struct lr_layer_plan *p = &plan[i];
        lr_strbuf_printf(b, "  %s %d,%d%s", lr_method_info(p->method)->name,
                         p->ranks.channel, p->ranks.spatial, p->is_stale ? " stale" : "");
        if (p->factors) {
            assert_ok(session_factors_digest(p->factors, fx_e));
            lr_strbuf_printf(b, " %.12s %s", p->factors->digest,
                             p->factors->mode ? p->factors->mode : "-");
            put_real(b, p->factors->error_heldout);
            put_real(b, p->factors->error_inherited);
        }
        lr_strbuf_putc(b, '\n');
    }
}

static void put_solver(struct lr_strbuf *b, const struct lr_settings *t)
{
    lr_strbuf_printf(b, "seed %" PRIu64 " round %d mode %d iterations %d %d lambda",
                     t->seed, t->round, (int)t->mode, t->n_iter1, t->n_iter2);
    put_real(b, t->lambda1);
    put_real(b, t->lambda2);
    lr_strbuf_putc(b, '\n');
}

static void put_eval(struct lr_strbuf *b, const char *what, bool has_eval,
                     const struct lr_eval *r)
{
    lr_strbuf_puts(b, what);
    if (has_eval) {
        lr_strbuf_printf(b, " %lld", (long long)r->images);
        put_real(b, r->top1);
        put_real(b, r->agreement);
        put_real(b, r->output_error);
    }
    lr_strbuf_putc(b, '\n');
}

/* All that a command may change of the choice; not what is only known of the network. */
static char *snapshot(const struct lr_session *s)
{
    struct lr_strbuf b = {0};

    lr_strbuf_printf(&b, "model %s calib %.12s eval %.12s\n",
                     s->model_name ? s->model_name : "-",
                     s->calib ? lr_dataset_hash(s->calib) : "-",
                     s->eval ? lr_dataset_hash(s->eval) : "-");
    put_solver(&b, &s->settings);
    put_plan(&b, s->plan, s->n_layers);
    put_eval(&b, "evaluated", s->has_eval, &s->last_eval);
    lr_strbuf_printf(&b, "told %d\n", s->told != NULL);
    for (int i = 0; s->configs && i < s->configs->n; i++) {
        const struct lr_config *k = &s->configs->items[i];
        lr_strbuf_printf(&b, "config %s ", k->name);
        put_solver(&b, &k->settings);
        put_plan(&b, k->plan, s->n_layers);
        put_eval(&b, " evaluated", k->has_eval, &k->eval);
    }
    return lr_strbuf_take(&b);
}

static void expect_same(struct random *t, const char *what, const char *a, const char *b)
{
    if (strcmp(a, b) != 0)
        BROKEN(t, "%s\nbefore:\n%s\nafter:\n%s", what, a, b);
}

/* ---- what always holds ---- */

static void check_layer(struct random *t, int i)
{
    const struct lr_session *s = &t->s;
    const struct lr_layer *l = &s->layers[i];
    const struct lr_layer_plan *p = &s->plan[i];
    const struct lr_factors *f = p->factors;
    struct lr_rank_layer r = lr_session_rank_layer(s, i);
    struct lr_ranks whole = lr_ranks_whole(&r);
    enum lr_state state = lr_session_state(s, i);
    struct lr_layer_row row;
    int group = l->group > 0 ? l->group : 1;

    lr_session_row(&row, s, i);
    if (lr_macs_whole(&r) != l->macs || lr_params_whole(&r) != l->params)
        BROKEN(t, "%s has %lld multiply-adds and %lld parameters, counted %lld and %lld",
               l->name, (long long)lr_macs_whole(&r), (long long)lr_params_whole(&r),
               (long long)l->macs, (long long)l->params);
    if (p->ranks.channel < 1 || p->ranks.channel > whole.channel ||
        (p->ranks.spatial > 0) != (whole.spatial > 0) ||
        p->ranks.spatial > whole.spatial ||
        (l->is_approximable && (p->ranks.channel % group || p->ranks.spatial % group)))
        BROKEN(t, "%s has ranks %d,%d of %d,%d", l->name, p->ranks.channel,
               p->ranks.spatial, whole.channel, whole.spatial);
    if (!l->is_approximable && p->method != LR_METHOD_KEEP)
        BROKEN(t, "%s cannot be approximated and has a method", l->name);
    if (p->is_stale && !f)
        BROKEN(t, "%s is stale and not solved", l->name);
    if (f && (state == LR_STATE_WHOLE || f->method != p->method || f->refs < 1 ||
              f->rank != p->ranks.channel || f->rank_spatial != p->ranks.spatial))
        BROKEN(t, "%s has factors that are not its plan's", l->name);
    if (row.macs > row.macs_original || row.macs < 0)
        BROKEN(t, "%s costs %lld of %lld", l->name, (long long)row.macs,
               (long long)row.macs_original);
    if (!isnan(row.energy) && !(row.energy >= 0 && row.energy <= 1 + 1e-9))
        BROKEN(t, "%s keeps %g of its energy", l->name, row.energy);
    if (f && (row.error_heldout < 0 || row.error_calib < 0))
        BROKEN(t, "%s has an error below 0", l->name);
}

/* What is said of the plan is what comes out when it is measured. */
static void check_eval(struct random *t)
{
    struct lr_session *s = &t->s;
    struct lr_eval r;
    bool *use = lr_calloc((size_t)s->n_layers + 1, sizeof(*use));

    for (int i = 0; i < s->n_layers; i++)
        use[i] = s->plan[i].factors != NULL;
    assert_ok(session_measure(&r, s, use, s->last_eval.images, NULL, fx_e));
    lr_free(use);
    s->has_eval = true;
    if (r.agreement != s->last_eval.agreement ||
        !(fabs(r.output_error - s->last_eval.output_error) <=
          1e-5 * fabs(r.output_error) + 1e-12) ||
        (isnan(r.top1) ? !isnan(s->last_eval.top1) : r.top1 != s->last_eval.top1))
        BROKEN(
            t,
            "evaluated: agreement %.9g, error %.9g, top-1 %g; measured: %.9g, %.9g, %g",
            s->last_eval.agreement, s->last_eval.output_error, s->last_eval.top1,
            r.agreement, r.output_error, r.top1);
}

static void check_session(struct random *t)
{
    const struct lr_session *s = &t->s;

    if (!s->graph) {
        assert_true(s->n_layers == 0 && !s->plan && !s->calib && !s->eval && !s->configs);
        return;
    }
    for (int i = 0; i < s->n_layers; i++)
        check_layer(t, i);
    if (s->has_eval) {
        for (int i = 0; i < s->n_layers; i++)
            assert_int_not_equal(lr_session_state(s, i), LR_STATE_CHOSEN);
        if (below(&t->rng, 8) == 0)
            check_eval(t);
    }
}

/* ---- running ---- */

static enum lr_status run(struct random *t, const char *text)
{
    const struct cmd_origin origin = {.name = "random", .line = 1};

    lr_strbuf_reset(&t->out);
    lr_strbuf_reset(&t->err);
    enum lr_status st = cmd_run_text(&t->c, text, &origin);
    if (t->is_shown)
        fprintf(stderr, "%s%s\n%s%s", st ? "! " : "  ", text, t->out.s ? t->out.s : "",
                t->err.s ? t->err.s : "");
    return st;
}

/* The command changed the plan: back and forth again. */
static void go_back(struct random *t, const char *before, const char *after)
{
    char *back, *again;

    if (run(t, "undo") != LR_OK)
        BROKEN(t, "cannot be undone: %s", t->err.s);
    check_session(t);
    back = snapshot(&t->s);
    expect_same(t, "undo gives back something else", before, back);
    if (run(t, "redo") != LR_OK)
        BROKEN(t, "cannot be done again: %s", t->err.s);
    again = snapshot(&t->s);
    expect_same(t, "redo gives something else", after, again);
    lr_free(back);
    lr_free(again);
}

static bool is_step(const char *command)
{
    static const char *const verbs[] = {"rank ", "method ", "select ", "solve",
                                        "use ",  "drop ",   "import "};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strncmp(command, verbs[i], strlen(verbs[i])) == 0)
            return true;
    return false;
}

static void step(struct random *t)
{
    char *before = snapshot(&t->s), *after;

    random_command(t->command, sizeof(t->command), &t->rng, &t->s);
    t->ticks_left = below(&t->rng, 12) == 0 ? below(&t->rng, 40) : -1;
    enum lr_status st = run(t, t->command);
    t->ticks_left = -1;
    after = snapshot(&t->s);
    check_session(t);
    if (st == LR_ENOMEM || (st && !t->err.len))
        BROKEN(t, "fails with %d: %s", (int)st, t->err.s ? t->err.s : "");
    /* What a command did stays when its table cannot be written; the replay will tell. */
    if (st && !(strstr(t->command, "/dev/full") && strstr(t->err.s, "No space")))
        expect_same(t, "failed and changed something", before, after);
    else if (is_step(t->command) && strcmp(before, after) != 0)
        go_back(t, before, after);
    lr_free(before);
    lr_free(after);
}

/* ---- a whole session ---- */

static void write_labels(const struct fx_folder *f, const char *file, uint32_t n,
                         int step_of)
{
    struct lr_strbuf b = {0};
    char path[600];

    lr_strbuf_add(&b, "\0\0\10\1\0\0\0", 7);
    lr_strbuf_putc(&b, (char)n);
    for (uint32_t i = 0; i < n; i++)
        lr_strbuf_putc(&b, (char)(i * (uint32_t)step_of % 10));
    assert_ok(lr_file_write(fx_path(path, f, file), b.s, b.len, fx_e));
    lr_strbuf_free(&b);
}

static void write_files(const struct fx_folder *f)
{
    static const float zeros[6 * FX_C * FX_SIZE * FX_SIZE];
    char path[600];

    fx_write_graph(f, "chain.onnx", fx_chain(5));
    fx_write_graph(f, "residual.onnx", fx_residual(6));
    fx_write_graph(f, "mixed.onnx", fx_mixed(7));
    fx_write_images(f, "calib.npy", 60, 3);
    fx_write_images(f, "eval.npy", 41, 4);
    fx_write_images(f, "in.npy", 2, 5);
    fx_write_images(f, "one.npy", 1, 6);
    fx_write_images(f, "few.npy", 7, 7);
    assert_ok(lr_npy_write(fx_path(path, f, "zeros.npy"), zeros,
                           (int64_t[]){6, FX_C, FX_SIZE, FX_SIZE}, 4, fx_e));
    write_labels(f, "labels.idx", 41, 1);
    write_labels(f, "other.idx", 41, 3);
}

static void replay(struct random *t)
{
    struct lr_strbuf script = {0};
    char cache[600];

    snprintf(t->command, sizeof(t->command), "replay");
    cmd_record_text(&script, &t->c);
    assert_ok(lr_file_write("session.rl", script.s, script.len, fx_e));
    lr_strbuf_free(&script);
    snprintf(cache, sizeof(cache), "%s/cache2", t->folder.path);
    setenv("XDG_CACHE_HOME", cache, 1);
    if (run(t, "replay session.rl --here") != LR_OK)
        BROKEN(t, "%sscript in %s/session.rl", t->err.s, t->folder.path);
}

static void session(struct random *t, uint64_t seed)
{
    struct cmd_sink sink = {.write = take, .tick = tick, .ctx = t};
    char path[600], old[600];

    t->seed = seed;
    t->ticks_left = -1;
    lr_rng_seed(&t->rng, seed);
    t->folder = fx_folder_make();
    write_files(&t->folder);
    snprintf(path, sizeof(path), "%s/cache", t->folder.path);
    setenv("XDG_CACHE_HOME", path, 1);
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(t->folder.path), 0);
    lr_session_init(&t->s);
    t->s.settings.has_journal = true;
    cmd_init(&t->c, &t->s, &sink);
    snprintf(t->command, sizeof(t->command), "the beginning");
    assert_int_equal(run(t, "set iterations 3,3\nset format json"), LR_OK);
    snprintf(path, sizeof(path),
             "open %s.onnx; data calib calib.npy; data eval eval.npy --labels labels.idx",
             PICK(&t->rng, "chain", "residual", "mixed"));
    assert_int_equal(run(t, path), LR_OK);
    for (int i = 0; i < N_COMMANDS; i++)
        step(t);
    if (t->s.graph)
        assert_int_equal(run(t, "layers; cost; error; configs"), LR_OK);
    replay(t);
    cmd_free(&t->c);
    lr_session_free(&t->s);
    assert_int_equal(chdir(old), 0);
    snprintf(path, sizeof(path), "rm -rf '%s'", t->folder.path);
    assert_int_equal(system(path), 0);
}

static int64_t number(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    int64_t n;

    return text && cmd_parse_int(&n, text) && n > 0 ? n : otherwise;
}

static void session__holds_together_whatever_is_typed(void **state)
{
    struct random t = {.is_shown = getenv("RANDOM_SHOW") != NULL};
    uint64_t first = (uint64_t)number("RANDOM_SEED", 1);
    int64_t n = number("RANDOM_SESSIONS", N_SESSIONS);

    (void)state;
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    for (int64_t i = 0; i < n; i++)
        session(&t, first + (uint64_t)i);
    lr_strbuf_free(&t.out);
    lr_strbuf_free(&t.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session__holds_together_whatever_is_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
