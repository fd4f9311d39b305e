/* Allocation with checked products, aligned for vector loads, and the growing string.
 * Everything here comes from the C allocator, so lr_free is free() for blocks and strings
 * alike. Requests beyond MAX_BYTES can only come from a nonsensical size in a file and
 * are refused before the allocator sees them. */
#include "ranklab/mem.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALIGNMENT = 64 };
static const size_t LARGE_BYTES = (size_t)1 << 30;
static const size_t MAX_BYTES =
    SIZE_MAX / 4 < ((size_t)1 << 39) ? SIZE_MAX / 4 : (size_t)1 << 39;

size_t lr_mem_machine(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    return pages > 0 && page > 0 ? (size_t)pages * (size_t)page : 0;
}

/* Linux promises more memory than there is and ends the process that takes it at its
 * word. */
static bool is_beyond_memory(size_t held, size_t bytes)
{
    const size_t all = lr_mem_machine();

    return all > 0 && (held >= all || bytes >= all - held);
}

static bool product(size_t *bytes, size_t n, size_t size)
{
    return !__builtin_mul_overflow(n, size, bytes) && *bytes <= MAX_BYTES;
}

/* The account of the process's memory: what the limit bounds is the sum of all blocks,
 * whichever thread asked. */
static atomic_size_t held, limit, refused;

void lr_mem_set_limit(size_t bytes)
{
    atomic_store(&limit, bytes);
}

size_t lr_mem_limit(void)
{
    return atomic_load(&limit);
}

size_t lr_mem_held(void)
{
    return atomic_load(&held);
}

size_t lr_mem_refused(void)
{
    return atomic_load(&refused);
}

void lr_mem_forget_refused(size_t before)
{
    atomic_store(&refused, before);
}

static void give_back(void *p)
{
    if (p)
        atomic_fetch_sub(&held, malloc_usable_size(p));
    free(p);
}

void *lr_alloc(size_t n, size_t size)
{
    const size_t most = lr_mem_limit(), have = lr_mem_held();
    size_t bytes;

    void *p = NULL;
    if (product(&bytes, n, size) && (!most || (have <= most && bytes <= most - have)) &&
        (bytes < LARGE_BYTES || !is_beyond_memory(have, bytes))) {
        size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        p = aligned_alloc(ALIGNMENT, rounded ? rounded : ALIGNMENT);
    }
    if (p) {
        atomic_fetch_add(&held, malloc_usable_size(p));
    } else {
        atomic_fetch_add(&refused, 1);
        errno = ENOMEM;
    }
    return p;
}

void *lr_calloc(size_t n, size_t size)
{
    void *p = lr_alloc(n, size);

    if (p)
        memset(p, 0, n * size);
    return p;
}

void *lr_realloc(void *p, size_t old_n, size_t n, size_t size)
{
    size_t old_bytes;
    void *q;

    if (!product(&old_bytes, old_n, size))
        return NULL;
    q = lr_alloc(n, size);
    if (!q)
        return NULL;
    if (p) {
        size_t bytes = n * size;
        memcpy(q, p, bytes < old_bytes ? bytes : old_bytes);
        give_back(p);
    }
    return q;
}

void lr_free(void *p)
{
    give_back(p);
}

char *lr_strndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = lr_alloc(len + 1, 1);

    if (copy) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

char *lr_strdup(const char *s)
{
    return lr_strndup(s, strlen(s));
}

enum lr_status lr_enomem(struct lr_err *e, size_t bytes, const char *what)
{
    const size_t most = lr_mem_limit();

    if (most && bytes > 0 && (lr_mem_held() > most || bytes > most - lr_mem_held()))
        return lr_err_set(
            e, LR_ENOMEM,
            "%zu bytes for %s would exceed max-memory (%zu of %zu bytes are "
            "held)",
            bytes, what, lr_mem_held(), most);
    if (bytes <= 1) /* not known */
        return lr_err_set(e, LR_ENOMEM, "out of memory for %s", what);
    return lr_err_set(e, LR_ENOMEM, "out of memory (%zu bytes for %s)", bytes, what);
}

/* Makes room for n more bytes and the final 0. */
static bool reserve(struct lr_strbuf *b, size_t n)
{
    if (b->is_failed)
        return false;
    if (b->s && n < b->cap - b->len)
        return true;
    if (n >= MAX_BYTES - b->len)
        goto fail;
    size_t cap = b->cap ? b->cap : ALIGNMENT;
    while (cap <= b->len + n)
        cap *= 2;
    char *s = lr_realloc(b->s, b->s ? b->len + 1 : 0, cap, 1);
    if (!s)
        goto fail;
    b->s = s;
    b->cap = cap;
    return true;
fail:
    b->is_failed = true;
    return false;
}

void lr_strbuf_add(struct lr_strbuf *b, const char *s, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->s + b->len, s, n);
    b->len += n;
    b->s[b->len] = '\0';
}

void lr_strbuf_puts(struct lr_strbuf *b, const char *s)
{
    lr_strbuf_add(b, s, strlen(s));
}

void lr_strbuf_putc(struct lr_strbuf *b, char c)
{
    lr_strbuf_add(b, &c, 1);
}

void lr_strbuf_vprintf(struct lr_strbuf *b, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;

    if (b->is_failed)
        return;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof(small), fmt, ap);
    if (n < 0) {
        b->is_failed = true;
    } else if ((size_t)n < sizeof(small)) {
        lr_strbuf_add(b, small, (size_t)n);
    } else if (reserve(b, (size_t)n)) {
        vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void lr_strbuf_printf(struct lr_strbuf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    lr_strbuf_vprintf(b, fmt, ap);
    va_end(ap);
}

void lr_strbuf_reset(struct lr_strbuf *b)
{
    b->len = 0;
    b->is_failed = false;
    if (b->s)
        b->s[0] = '\0';
}

void lr_strbuf_free(struct lr_strbuf *b)
{
    give_back(b->s);
    *b = (struct lr_strbuf){0};
}

char *lr_strbuf_take(struct lr_strbuf *b)
{
    char *s = NULL;

    lr_strbuf_add(b, "", 0);
    if (b->is_failed)
        give_back(b->s);
    else
        s = b->s;
    *b = (struct lr_strbuf){0};
    return s;
}
