/* Random commands for random sessions: mostly ones that can be done, in any order. */
#ifndef RANDOM_COMMANDS_H
#define RANDOM_COMMANDS_H

#include <stdio.h>

#include "ranklab/rng.h"
#include "ranklab/session.h"

static inline int below(struct lr_rng *r, int n)
{
    return (int)lr_rng_below(r, (uint64_t)n);
}

static inline const char *one_of(struct lr_rng *r, const char *const *words)
{
    int n = 0;

    while (words[n])
        n++;
    return words[below(r, n)];
}

#define PICK(r, ...) one_of(r, (const char *const[]){__VA_ARGS__, NULL})

static inline void random_set(char *buf, size_t size, struct lr_rng *r,
                              const struct lr_session *s)
{
    int n = s->n_layers > 0 ? s->n_layers : 3, a = 1 + below(r, n), b = 1 + below(r, n);

    switch (below(r, 6)) {
    case 0:
        snprintf(buf, size, "all");
        break;
    case 1:
        snprintf(buf, size, "%d..%d", a, b);
        break;
    case 2:
        snprintf(buf, size, "%s", PICK(r, "@stale", "@solved", "conv*", "?2"));
        break;
    default:
        snprintf(buf, size, "%d", a);
    }
}

static inline void random_rank(char *buf, size_t size, struct lr_rng *r)
{
    switch (below(r, 7)) {
    case 0:
        snprintf(buf, size, "%d%%", 1 + below(r, 100));
        break;
    case 1:
        snprintf(buf, size, "e=%d%%", 1 + below(r, 100));
        break;
    case 2:
        snprintf(buf, size, "x=%.2f", 1 + 4 * lr_rng_uniform(r));
        break;
    case 3:
        snprintf(buf, size, "full");
        break;
    case 4:
        snprintf(buf, size, "%d,%d", 1 + below(r, 12), 1 + below(r, 12));
        break;
    default:
        snprintf(buf, size, "%d", 1 + below(r, 14));
    }
}

static inline void random_select(char *buf, size_t size, struct lr_rng *r,
                                 const struct lr_session *s)
{
    char keep[64] = "";
    int n = snprintf(buf, size, "select ");

    switch (below(r, 5)) {
    case 0:
        n += snprintf(buf + n, size - (size_t)n, "--energy %d%%", 60 + below(r, 41));
        break;
    case 1:
        n += snprintf(buf + n, size - (size_t)n, "--params %d", 2000 + below(r, 20000));
        break;
    default:
        n += snprintf(buf + n, size - (size_t)n, "--speedup %.2f",
                      1 + 3 * lr_rng_uniform(r));
        if (below(r, 2))
            n += snprintf(buf + n, size - (size_t)n, " --rule %s",
                          PICK(r, "energy", "paper", "uniform", "knapsack",
                               "knapsack --objective error", "sensitivity"));
        if (below(r, 3) == 0)
            n += snprintf(buf + n, size - (size_t)n, " --of network");
    }
    if (below(r, 4) == 0) {
        random_set(keep, sizeof(keep), r, s);
        n += snprintf(buf + n, size - (size_t)n, " --keep %s", keep);
    }
    if (below(r, 4) == 0)
        n += snprintf(buf + n, size - (size_t)n, " --round %d", 1 + below(r, 4));
    if (below(r, 6) == 0)
        snprintf(buf + n, size - (size_t)n, " > %s", PICK(r, "s.csv", "/dev/full"));
}

static inline void random_setting(char *buf, size_t size, struct lr_rng *r)
{
    snprintf(buf, size, "set %s",
             PICK(r, "seed 1", "seed 2", "round 1", "round 3", "mode asym", "mode sym",
                  "mode symhat", "iterations 2,2", "iterations 0,3", "lambda 0.01,1",
                  "lambda 0.1,2", "journal off", "journal on", "convolution winograd",
                  "convolution direct", "cache-memory 0", "cache-memory 2G",
                  "cache-disk 0", "cache-disk 10G", "resume always", "resume never",
                  "threads 1", "threads 2", "deploy-batch 4", "deploy-batch 1"));
}

static inline void random_sweep(char *buf, size_t size, struct lr_rng *r,
                                const struct lr_session *s)
{
    char set[64];

    random_set(set, sizeof(set), r, s);
    switch (below(r, 4)) {
    case 0:
        snprintf(buf, size, "sweep --speedup %s --rule %s", PICK(r, "2", "1.5:2.5"),
                 PICK(r, "energy", "uniform", "energy,paper"));
        break;
    case 1:
        snprintf(buf, size, "sweep %s --points 2 --metric agreement --precision 5", set);
        break;
    default:
        snprintf(buf, size, "sweep %s --points 2%s", set,
                 PICK(r, "", " --metric error", " --metric agreement", " --count 20"));
    }
}

static inline void random_file(char *buf, size_t size, struct lr_rng *r)
{
    switch (below(r, 6)) {
    case 0:
        snprintf(buf, size, "export config %s.json%s", PICK(r, "p", "q"),
                 PICK(r, "", " --config a"));
        break;
    case 1:
    case 2:
        snprintf(buf, size, "import config %s.json%s", PICK(r, "p", "q"),
                 PICK(r, "", " --force"));
        break;
    case 3:
        snprintf(buf, size, "export onnx out.onnx%s",
                 PICK(r, "", " --keep-names", " --fp16", " --config b"));
        break;
    case 4:
        snprintf(buf, size, "run in.npy out.npy%s", PICK(r, "", " --original"));
        break;
    default:
        snprintf(
            buf, size, "export table %s t.csv",
            PICK(r, "layers", "cost", "error", "eval", "configs", "sweep", "networks"));
    }
}

static inline void random_look(char *buf, size_t size, struct lr_rng *r,
                               const struct lr_session *s)
{
    char set[64];

    random_set(set, sizeof(set), r, s);
    switch (below(r, 5)) {
    case 0:
        snprintf(buf, size, "%s",
                 PICK(r, "configs", "predict", "show", "data", "time --runs 1",
                      "time --runs 1", "try eval", "try undo", "layers > l.md",
                      "cost > /dev/full"));
        break;
    case 1:
        snprintf(buf, size, "compare %s %s", PICK(r, "a", "b"), PICK(r, "", "a", "b"));
        break;
    case 2:
        snprintf(
            buf, size, "plot %s --width 60 --height 12",
            PICK(r, "energy", "error", "propagation", "accuracy", "tradeoff", "ranks"));
        break;
    case 3:
        snprintf(buf, size, "info %d", 1 + below(r, s->n_layers > 0 ? s->n_layers : 3));
        break;
    default:
        snprintf(buf, size, "%s %s", PICK(r, "layers", "cost", "error"), set);
    }
}

static inline void random_open(char *buf, size_t size, struct lr_rng *r)
{
    switch (below(r, 8)) {
    case 0:
        snprintf(buf, size, "close");
        break;
    case 1:
    case 2:
        snprintf(buf, size, "open %s.onnx",
                 PICK(r, "chain", "residual", "mixed", "missing"));
        break;
    case 3:
    case 4:
        snprintf(buf, size, "data calib %s.npy",
                 PICK(r, "one", "few", "calib", "eval", "zeros"));
        break;
    case 5:
        snprintf(buf, size, "data calib calib.npy --count %d", 20 + below(r, 30));
        break;
    default:
        snprintf(buf, size, "data eval %s",
                 PICK(r, "eval.npy", "eval.npy --labels labels.idx", "one.npy",
                      "calib.npy", "eval.npy --labels other.idx"));
    }
}

/* The next command of a session. */
static inline void random_command(char *buf, size_t size, struct lr_rng *r,
                                  const struct lr_session *s)
{
    char set[64], rank[32];
    int k = below(r, 100);

    random_set(set, sizeof(set), r, s);
    random_rank(rank, sizeof(rank), r);
    if (k < 18)
        snprintf(buf, size, "rank %s %s%s", set, rank,
                 below(r, 5) ? "" : PICK(r, " --round 2", " --round 5"));
    else if (k < 28)
        snprintf(buf, size, "method %s %s", set,
                 PICK(r, "keep", "pca", "relu", "relu", "spatial", "spatial-refit", "3d",
                      "svd"));
    else if (k < 34)
        random_select(buf, size, r, s);
    else if (k < 48)
        snprintf(buf, size, "solve%s%s",
                 below(r, 3) ? "" : PICK(r, " all", " 2", " 3..4"),
                 below(r, 4) ? "" : PICK(r, " --mode sym", " --mode symhat", " --alone"));
    else if (k < 58)
        snprintf(buf, size, "eval%s",
                 PICK(r, "", "", " --count 20", " --again", " --outputs"));
    else if (k < 66)
        snprintf(buf, size, "%s", PICK(r, "undo", "undo", "undo", "redo"));
    else if (k < 71)
        snprintf(buf, size, "keep %s%s", PICK(r, "a", "b", "c"),
                 PICK(r, "", " --replace"));
    else if (k < 75)
        snprintf(buf, size, "use %s", PICK(r, "a", "b", "c"));
    else if (k < 77)
        snprintf(buf, size, "drop %s", PICK(r, "a", "b", "c"));
    else if (k < 82)
        random_file(buf, size, r);
    else if (k < 88)
        random_look(buf, size, r, s);
    else if (k < 93)
        random_setting(buf, size, r);
    else if (k < 97)
        random_open(buf, size, r);
    else
        random_sweep(buf, size, r, s);
}

#endif
