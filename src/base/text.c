/* Text that came from files: a strict UTF-8 decoder (no overlong forms, no surrogates),
 * an escaper that leaves nothing a terminal would obey or that would reorder or hide what
 * is read, display columns, and the nearest name by optimal string alignment distance (a
 * swap of neighbours counts once). */
#include "ranklab/text.h"

#include <langinfo.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

int lr_utf8_decode(const char *s, size_t n, unsigned *cp)
{
    static const unsigned smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *u = (const unsigned char *)s;
    unsigned c;
    int len;

    if (n == 0)
        return 0;
    if (u[0] < 0x80) {
        *cp = u[0];
        return 1;
    }
    if ((u[0] & 0xE0) == 0xC0) {
        len = 2;
        c = u[0] & 0x1F;
    } else if ((u[0] & 0xF0) == 0xE0) {
        len = 3;
        c = u[0] & 0x0F;
    } else if ((u[0] & 0xF8) == 0xF0) {
        len = 4;
        c = u[0] & 0x07;
    } else {
        return 0;
    }
    if (n < (size_t)len)
        return 0;
    for (int i = 1; i < len; i++) {
        if ((u[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (u[i] & 0x3F);
    }
    if (c < smallest[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *cp = c;
    return len;
}

size_t lr_utf8_take(char one[5], const char *s, size_t n)
{
    unsigned cp;
    int len = lr_utf8_decode(s, n, &cp);
    size_t k = len ? (size_t)len : 1;

    memcpy(one, s, k);
    one[k] = '\0';
    return k;
}

/* Code points above ASCII that must not reach the screen: C1 controls, line separators,
 * bidi controls, and characters that show nothing (so that two names could look alike):
 * joiners, fillers, variation selectors, tags. */
static bool is_unsafe(unsigned cp)
{
    static const unsigned ranges[][2] = {
        {0x80, 0x9F},     {0xAD, 0xAD},     {0x34F, 0x34F},   {0x61C, 0x61C},
        {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x200B, 0x200F},
        {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFE00, 0xFE0F},
        {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE0FFF},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (cp >= ranges[i][0] && cp <= ranges[i][1])
            return true;
    return false;
}

size_t lr_text_escape_one(char out[16], const char *s, size_t n)
{
    unsigned cp = 0;
    int len = lr_utf8_decode(s, n, &cp);

    if (len == 0 || cp < 0x20 || cp == 0x7F)
        snprintf(out, 16, "\\x%02x", (unsigned char)s[0]);
    else if (is_unsafe(cp))
        snprintf(out, 16, "\\u{%04x}", cp);
    else
        lr_utf8_take(out, s, n);
    return len ? (size_t)len : 1;
}

static void escape(struct lr_strbuf *b, const char *s, bool keeps_lines)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n;) {
        char one[16] = "\n";
        if (keeps_lines && s[i] == '\n')
            i++;
        else
            i += lr_text_escape_one(one, s + i, n - i);
        lr_strbuf_puts(b, one);
    }
    if (n == 0)
        lr_strbuf_add(b, "", 0);
}

void lr_text_escape(struct lr_strbuf *b, const char *s)
{
    escape(b, s, false);
}

void lr_text_escape_lines(struct lr_strbuf *b, const char *s)
{
    escape(b, s, true);
}

int lr_text_columns(const char *s)
{
    size_t n = strlen(s), columns = 0;

    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        return n > INT_MAX ? INT_MAX : (int)n;
    for (size_t i = 0; i < n;) {
        unsigned cp = 0;
        int len = lr_utf8_decode(s + i, n - i, &cp);
        int width = len ? wcwidth((wchar_t)cp) : 1;
        columns += width < 0 ? 1 : (size_t)width;
        i += len ? (size_t)len : 1;
    }
    return columns > INT_MAX ? INT_MAX : (int)columns;
}

enum { MAX_WORD = 255, MAX_DISTANCE = 2 };

/* Edit distance of a[la] and b[lb], both at most MAX_WORD + MAX_DISTANCE long. */
static int distance(const char *a, size_t la, const char *b, size_t lb)
{
    int rows[3][MAX_WORD + MAX_DISTANCE + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= lb; j++)
        above[j] = (int)j;
    memcpy(before, above, sizeof(rows[0]));
    for (size_t i = 1; i <= la; i++) {
        row[0] = (int)i;
        for (size_t j = 1; j <= lb; j++) {
            int d = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < d)
                d = above[j] + 1;
            if (row[j - 1] + 1 < d)
                d = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < d)
                d = before[j - 2] + 1;
            row[j] = d;
        }
        int *t = before;
        before = above;
        above = row;
        row = t;
    }
    return above[lb];
}

const char *lr_text_nearest(const char *word, const char *const *names, size_t n_names)
{
    const char *best = NULL;
    size_t len = strlen(word);
    int best_distance = MAX_DISTANCE + 1;

    if (len > MAX_WORD)
        return NULL;
    for (size_t i = 0; i < n_names; i++) {
        if (!names[i])
            continue;
        size_t len_i = strlen(names[i]);
        if (len_i > len + MAX_DISTANCE || len > len_i + MAX_DISTANCE)
            continue;
        int d = distance(word, len, names[i], len_i);
        if (d < best_distance && 2 * (size_t)d < len) {
            best = names[i];
            best_distance = d;
        }
    }
    return best;
}
