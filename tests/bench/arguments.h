/* What the measurements of sweeps are called with. */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* NETWORK N_POINTS COUNT; false, with the usage told, when they are not that. */
static inline bool bench_arguments(long *n_points, long *count, const char *name,
                                   int argc, char **argv)
{
    char *end_points = NULL, *end_count = NULL;

    *n_points = argc == 4 ? strtol(argv[2], &end_points, 10) : 0;
    *count = argc == 4 ? strtol(argv[3], &end_count, 10) : -1;
    if (argc == 4 && !*end_points && !*end_count && *n_points >= 1 && *n_points <= 1000 &&
        *count >= 0)
        return true;
    fprintf(stderr, "usage: %s NETWORK N_POINTS COUNT\n", name);
    return false;
}

#endif
