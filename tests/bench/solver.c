/* Times the nonlinear solver on responses of a made-up layer, for comparison with the
 * same algorithm in NumPy and with the time of its matrix products alone.
 *
 *   solver make D N FOLDER    writes FOLDER/target.f32 and FOLDER/yhat.f32, N rows of D
 *   solver run D N RANK FOLDER RUNS   prints one line a run: "seconds error"
 *   solver products D N RANK RUNS     prints seconds of the products at the measured rate
 *
 * The rows are those of a layer with decaying spectrum behind a ReLU: 8/10 fit, 1/10
 * validation, 1/10 held out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ranklab/approx.h"
#include "ranklab/engine.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/rng.h"

enum { SCHEDULE = 50, RATE_ORDER = 2048 };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int fail(const char *what)
{
    fprintf(stderr, "solver: %s\n", what);
    return 1;
}

static size_t number(const char *s)
{
    char *end;
    long v = strtol(s, &end, 10);

    return *end || v < 1 || v > 100000000 ? 0 : (size_t)v;
}

static int transfer(float *x, size_t n, const char *folder, const char *name,
                    bool is_writing)
{
    char path[4096];
    int k = snprintf(path, sizeof(path), "%s/%s", folder, name);

    if (k < 0 || (size_t)k >= sizeof(path))
        return fail("the folder's name is too long");
    FILE *fp = fopen(path, is_writing ? "wb" : "rb");
    if (!fp)
        return fail(path);
    size_t done = is_writing ? fwrite(x, sizeof(*x), n, fp) : fread(x, sizeof(*x), n, fp);
    int bad = fclose(fp);
    return done != n || bad ? fail(path) : 0;
}

/* yhat = A s + noise with a spectrum falling as 1/k, target a little off it. */
static int make(size_t d, size_t n, const char *folder)
{
    float *s = lr_alloc(n * d, sizeof(float)), *a = lr_alloc(d * d, sizeof(float));
    float *yhat = lr_alloc(n * d, sizeof(float)),
          *target = lr_alloc(n * d, sizeof(float));
    struct lr_rng rng;
    int bad = 1;

    if (!s || !a || !yhat || !target)
        goto out;
    lr_rng_seed(&rng, 1);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++)
            a[i * d + j] = (float)(lr_rng_normal(&rng) / (1 + (double)i / 8));
    for (size_t i = 0; i < n * d; i++)
        s[i] = (float)lr_rng_normal(&rng);
    if (lr_la_gemm_f(false, false, n, d, d, 1, s, d, a, d, 0, yhat, d, NULL) != LR_OK)
        goto out;
    for (size_t i = 0; i < n * d; i++) {
        yhat[i] -= 0.5F;
        target[i] = yhat[i] + 0.2F * (float)lr_rng_normal(&rng);
    }
    bad = transfer(target, n * d, folder, "target.f32", true) ||
          transfer(yhat, n * d, folder, "yhat.f32", true);
out:
    lr_free(s);
    lr_free(a);
    lr_free(yhat);
    lr_free(target);
    return bad;
}

static int run(size_t d, size_t n, size_t rank, const char *folder, size_t runs)
{
    float *yhat = lr_alloc(n * d, sizeof(float)),
          *target = lr_alloc(n * d, sizeof(float));
    struct lr_err e = {0};
    int bad = 1;

    if (!yhat || !target || transfer(target, n * d, folder, "target.f32", false) ||
        transfer(yhat, n * d, folder, "yhat.f32", false))
        goto out;
    struct lr_samples s = {.d = (int)d,
                           .n_valid = n / 10,
                           .n_held = n / 10,
                           .act = lr_act_relu,
                           .target = target,
                           .yhat = yhat};
    s.n_fit = n - s.n_valid - s.n_held;
    for (size_t i = 0; i < runs; i++) {
        struct lr_lowrank m;
        struct lr_solve_opts opts;
        double start = now(), error = 0;
        lr_solve_opts_default(&opts);
        if (lr_solve_relu(&m, &s, (int)rank, NULL, &opts, &e) != LR_OK) {
            bad = fail(e.msg);
            goto out;
        }
        double seconds = now() - start;
        if (m.n_iterations != SCHEDULE) {
            lr_lowrank_free(&m);
            bad = fail("the solver ended early: nothing to compare");
            goto out;
        }
        if (lr_response_error(&error, NULL, &s, &m, s.n_fit + s.n_valid, s.n_held, &e) !=
            LR_OK) {
            lr_lowrank_free(&m);
            bad = fail(e.msg);
            goto out;
        }
        printf("%.6f %.9g\n", seconds, error);
        fflush(stdout);
        lr_lowrank_free(&m);
    }
    bad = 0;
out:
    lr_free(yhat);
    lr_free(target);
    return bad;
}

/* The rate of a large square product, and how long the products of the iterations take at
 * it: responses by two thin products, of fit and validation rows, and the cross product.
 */
static int products(size_t d, size_t n, size_t rank, size_t runs)
{
    size_t m = RATE_ORDER, n_valid = n / 10, n_fit = n - 2 * n_valid;
    double thin = 2.0 * 2 * (double)d * (double)rank, cross = 2.0 * (double)d * (double)d;
    double flops = SCHEDULE * ((double)(n_fit + n_valid) * thin + (double)n_fit * cross);
    float *x = lr_calloc(3 * m * m, sizeof(float));
    int bad = !x;

    for (size_t i = 0; x && i < 2 * m * m; i++)
        x[i] = (float)(i % 7) - 3;
    for (size_t i = 0; !bad && i <= runs; i++) {
        double start = now();
        bad = lr_engine_gemm(false, false, m, m, m, 1, x, m, x + m * m, m, 0,
                             x + 2 * m * m, m, NULL) != LR_OK;
        double rate = 2.0 * (double)m * (double)m * (double)m / (now() - start);
        if (i > 0) /* the first one warms up */
            printf("%.6f %.4g\n", flops / rate, rate);
    }
    lr_free(x);
    return bad;
}

int main(int argc, char **argv)
{
    size_t v[4] = {0};
    const char *folder = argc > 4 ? argv[argc == 5 ? 4 : 5] : NULL;

    if (argc == 5 && strcmp(argv[1], "make") == 0 && (v[0] = number(argv[2])) &&
        (v[1] = number(argv[3])))
        return make(v[0], v[1], folder);
    if (argc == 7 && strcmp(argv[1], "run") == 0 && (v[0] = number(argv[2])) &&
        (v[1] = number(argv[3])) && (v[2] = number(argv[4])) && (v[3] = number(argv[6])))
        return run(v[0], v[1], v[2], folder, v[3]);
    if (argc == 6 && strcmp(argv[1], "products") == 0 && (v[0] = number(argv[2])) &&
        (v[1] = number(argv[3])) && (v[2] = number(argv[4])) && (v[3] = number(argv[5])))
        return products(v[0], v[1], v[2], v[3]);
    return fail("usage: solver make D N FOLDER | run D N RANK FOLDER RUNS | products D N "
                "RANK RUNS");
}
