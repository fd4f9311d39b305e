/* Where the program keeps its own files (the XDG base directories) and what identifies a
 * file's content (SHA-256, from nettle, which uses the
 * processor's instructions for it: a network of half a gigabyte is hashed when opened).
 */
#include "ranklab/file.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ranklab/mem.h"

void lr_sha256(char hex[65], const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    if (len)
        sha256_update(&ctx, len, data);
    sha256_digest(&ctx, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
}

/* Creates every missing folder on the way to path, which is changed meanwhile. */
static bool make_folders(char *path)
{
    struct stat st;

    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        bool is_made = mkdir(path, 0700) == 0 || errno == EEXIST;
        int err = errno;
        is_made = is_made || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
        *p = kept;
        if (!is_made) {
            errno = err;
            return false;
        }
        if (kept == '\0')
            break;
    }
    if (stat(path, &st) != 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

char *lr_xdg_dir(const char *kind, bool make)
{
    static const struct {
        const char *kind, *variable, *fallback;
    } places[] = {
        {"config", "XDG_CONFIG_HOME", ".config"},
        {"state", "XDG_STATE_HOME", ".local/state"},
        {"cache", "XDG_CACHE_HOME", ".cache"},
    };
    struct lr_strbuf b = {0};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strcmp(kind, places[i].kind) != 0)
            continue;
        /* The specification has relative paths ignored. */
        const char *base = getenv(places[i].variable), *home = getenv("HOME");
        if (base && base[0] == '/')
            lr_strbuf_printf(&b, "%s/ranklab", base);
        else if (home && home[0] == '/')
            lr_strbuf_printf(&b, "%s/%s/ranklab", home, places[i].fallback);
    }
    if (b.len == 0) {
        lr_strbuf_free(&b);
        errno = ENOENT;
        return NULL;
    }
    char *path = lr_strbuf_take(&b);
    if (path && make && !make_folders(path)) {
        int err = errno;
        lr_free(path);
        errno = err;
        return NULL;
    }
    return path;
}
