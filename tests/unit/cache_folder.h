/* A cache folder that one test program has for itself. */
#ifndef CACHE_FOLDER_H
#define CACHE_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The XDG_CACHE_HOME of the tests of one program. */
static char cache_base[64];

static inline int make_cache(void **state)
{
    (void)state;
    strcpy(cache_base, "/tmp/ranklab-test-XXXXXX");
    return mkdtemp(cache_base) ? setenv("XDG_CACHE_HOME", cache_base, 1) : -1;
}

static inline int remove_cache(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", cache_base);
    return system(command);
}

#endif
