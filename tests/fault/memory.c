/* A library for LD_PRELOAD under which memory runs out: counts the allocations that
 * chosen objects ask for and refuses one of them. The environment says what shall happen:
 *   FAULT_FROM    objects by a part of their file's name, by colons; "main": the program
 *   FAULT_AT      the allocation that fails, from 1; 0: none, they are only counted
 *   FAULT_LOG     gets its number and who asked for it
 *   FAULT_PLACES  gets, instead, the numbers of the allocations worth to fail: the first
 *                 two and the twentieth from each place, a place being the chain of calls
 *                 inside the program that leads there */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_OBJECTS = 8, MAX_FRAMES = 48, DEPTH = 7, N_PLACES = 1 << 16, ARENA = 1 << 14 };

static struct {
    uintptr_t begin, end;
    bool is_main;
} objects[MAX_OBJECTS];
static int n_objects, places_fd = -1;
static long at;
static bool is_ready, is_inside;
static long count;
static struct {
    uint64_t hash;
    unsigned n;
} places[N_PLACES];

static void *(*next_malloc)(size_t), *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t), *(*next_aligned)(size_t, size_t);
/* dlsym itself allocates before the others are known. */
static char arena[ARENA] __attribute__((aligned(16)));
static size_t arena_used;

static void *early(size_t n)
{
    size_t begin = (arena_used + 15) & ~(size_t)15;

    if (n > ARENA - begin)
        abort();
    arena_used = begin + n;
    return arena + begin;
}

static void find(void)
{
    static bool is_finding;

    if (next_aligned || is_finding)
        return;
    is_finding = true;
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_aligned = dlsym(RTLD_NEXT, "aligned_alloc");
    is_finding = false;
}

static bool is_wanted(const char *name)
{
    const char *from = getenv("FAULT_FROM");

    for (const char *s = from ? from : "main"; *s;) {
        char word[64];
        size_t n = strcspn(s, ":");
        snprintf(word, sizeof(word), "%.*s", (int)n, s);
        if (*name ? strcmp(word, "main") != 0 && strstr(name, word) != NULL
                  : strcmp(word, "main") == 0)
            return true;
        s += n + (s[n] == ':');
    }
    return false;
}

static int add_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size, (void)ctx;
    if (n_objects == MAX_OBJECTS || !is_wanted(info->dlpi_name))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || n_objects == MAX_OBJECTS)
            continue;
        objects[n_objects].begin = info->dlpi_addr + p->p_vaddr;
        objects[n_objects].end = objects[n_objects].begin + p->p_memsz;
        objects[n_objects++].is_main = *info->dlpi_name == '\0';
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *number = getenv("FAULT_AT"), *file = getenv("FAULT_PLACES");
    void *frames[2];

    find();
    backtrace(frames, 2); /* loads what it needs */
    if (strcmp(program_invocation_short_name, "ranklab") != 0)
        return;
    at = number ? atol(number) : 0;
    if (file && *file)
        places_fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dl_iterate_phdr(add_object, NULL);
    is_ready = true;
}

static void put(int fd, const char *fmt, long n)
{
    char line[64];
    int len = snprintf(line, sizeof(line), fmt, n);

    if (fd < 0 || syscall(SYS_write, fd, line, (size_t)len) != len)
        abort();
}

static void note_place(long n)
{
    void *frames[MAX_FRAMES];
    uint64_t hash = 14695981039346656037u;
    int n_frames = backtrace(frames, MAX_FRAMES), used = 0;

    for (int i = 0; i < n_frames && used < DEPTH; i++)
        for (int k = 0; k < n_objects; k++) {
            uintptr_t p = (uintptr_t)frames[i];
            if (p < objects[k].begin || p >= objects[k].end)
                continue;
            hash = (hash ^ (p - objects[k].begin)) * 1099511628211u;
            used += objects[k].is_main;
        }
    for (size_t i = hash % N_PLACES;; i = (i + 1) % N_PLACES) {
        if (places[i].n && places[i].hash != hash)
            continue;
        places[i].hash = hash;
        if (++places[i].n <= 2 || places[i].n == 20)
            put(places_fd, "%ld\n", n);
        return;
    }
}

/* caller: where the allocation returns to. */
static bool fails(const void *caller)
{
    uintptr_t p = (uintptr_t)caller;
    bool is_ours = false;

    for (int i = 0; is_ready && !is_inside && i < n_objects; i++)
        is_ours = is_ours || (p >= objects[i].begin && p < objects[i].end);
    if (!is_ours)
        return false;
    long n = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
    if (places_fd >= 0) {
        is_inside = true;
        note_place(n);
        is_inside = false;
        return false;
    }
    if (n != at)
        return false;
    const char *log = getenv("FAULT_LOG");
    if (log) {
        int fd =
            (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        void *frames[MAX_FRAMES];
        is_inside = true;
        put(fd, "%ld\n", n);
        backtrace_symbols_fd(frames, backtrace(frames, MAX_FRAMES), fd);
        is_inside = false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    find();
    if (!next_malloc)
        return early(n);
    return fails(__builtin_return_address(0)) ? NULL : next_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    find();
    if (!next_calloc)
        return early(n * size); /* zero already */
    return fails(__builtin_return_address(0)) ? NULL : next_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    find();
    if (!next_realloc || ((char *)p >= arena && (char *)p < arena + ARENA))
        abort();
    return fails(__builtin_return_address(0)) ? NULL : next_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    find();
    return fails(__builtin_return_address(0)) ? NULL : next_aligned(alignment, n);
}
