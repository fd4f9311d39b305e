/* One complete key is cut off the front of the bytes at a time: a UTF-8 character, a
 * control character, Alt with either, a CSI or SS3 sequence, a mouse report, or a whole
 * bracketed paste. Bytes that can be neither are dropped, so that readline only ever
 * sees whole, valid characters. */
#include "ui/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/text.h"

enum { ESC = 27, MAX_PASTE = 1 << 20 };

static const char paste_begin[] = "\033[200~", paste_end[] = "\033[201~";

size_t ui_decoder_room(const struct ui_decoder *d)
{
    return sizeof(d->buf) - d->n;
}

void ui_decoder_feed(struct ui_decoder *d, const char *s, size_t n)
{
    if (n > ui_decoder_room(d))
        n = ui_decoder_room(d);
    memcpy(d->buf + d->n, s, n);
    d->n += n;
}

bool ui_decoder_is_waiting(const struct ui_decoder *d)
{
    return d->n > 0 && !d->is_pasting;
}

void ui_decoder_free(struct ui_decoder *d)
{
    lr_strbuf_free(&d->paste);
}

static void drop(struct ui_decoder *d, size_t n)
{
    memmove(d->buf, d->buf + n, d->n - n);
    d->n -= n;
}

static void take_bytes(struct ui_key *key, struct ui_decoder *d, size_t n)
{
    key->n = n < sizeof(key->bytes) ? n : 0; /* what is longer is no key */
    memcpy(key->bytes, d->buf, key->n);
    drop(d, n);
}

/* ---- sequences ---- */

static const struct {
    int number; /* of CSI number ~ */
    const char *name;
} tilde_keys[] = {
    {1, "Home"},     {2, "Insert"}, {3, "Delete"}, {4, "End"},  {5, "PageUp"},
    {6, "PageDown"}, {7, "Home"},   {8, "End"},    {11, "F1"},  {12, "F2"},
    {13, "F3"},      {14, "F4"},    {15, "F5"},    {17, "F6"},  {18, "F7"},
    {19, "F8"},      {20, "F9"},    {21, "F10"},   {23, "F11"}, {24, "F12"},
};
static const struct {
    char final;
    const char *name;
} letter_keys[] = {
    {'A', "Up"},  {'B', "Down"}, {'C', "Right"}, {'D', "Left"},
    {'F', "End"}, {'H', "Home"}, {'P', "F1"},    {'Q', "F2"},
    {'R', "F3"},  {'S', "F4"},   {'Z', "S-Tab"}, {'M', "Enter"},
};

static const char *letter_name(char final)
{
    for (size_t i = 0; i < sizeof(letter_keys) / sizeof(letter_keys[0]); i++)
        if (letter_keys[i].final == final)
            return letter_keys[i].name;
    return NULL;
}

static const char *tilde_name(long number)
{
    for (size_t i = 0; i < sizeof(tilde_keys) / sizeof(tilde_keys[0]); i++)
        if (tilde_keys[i].number == number)
            return tilde_keys[i].name;
    return NULL;
}

/* xterm's modifier parameter: 1 plus shift 1, alt 2, control 4. */
static void set_name(struct ui_key *key, const char *name, long modifier, bool is_alt)
{
    long m = modifier > 1 ? modifier - 1 : 0;

    key->kind = name ? UI_KEY_NAMED : UI_KEY_UNKNOWN;
    if (name)
        snprintf(key->name, sizeof(key->name), "%s%s%s%s", m & 4 ? "C-" : "",
                 (m & 2) || is_alt ? "M-" : "", m & 1 ? "S-" : "", name);
}

/* <button;x;y and M or m. */
static void mouse(struct ui_key *key, const char *s, char final)
{
    int b = 0, x = 0, y = 0;

    key->kind = UI_KEY_UNKNOWN;
    if (sscanf(s, "<%d;%d;%d", &b, &x, &y) != 3)
        return;
    key->kind = UI_KEY_MOUSE;
    key->button = final == 'm' ? -1 : b;
    key->x = x - 1;
    key->y = y - 1;
}

/* A CSI at d->buf[at]; its length from the start of the buffer, 0: not complete yet. */
static size_t csi(struct ui_key *key, const struct ui_decoder *d, size_t at, bool is_alt)
{
    char parameters[32];
    size_t i = at, n = 0;

    /* The console of Linux: ESC [ [ A to E. */
    if (i < d->n && d->buf[i] == '[') {
        if (i + 1 >= d->n)
            return 0;
        char name[] = {'F', (char)(d->buf[i + 1] - 'A' + '1'), '\0'};
        bool is_key = d->buf[i + 1] >= 'A' && d->buf[i + 1] <= 'E';
        set_name(key, is_key ? name : NULL, 0, is_alt);
        return i + 2;
    }
    while (i < d->n && d->buf[i] >= 0x20 && d->buf[i] <= 0x3F) {
        if (n + 1 < sizeof(parameters))
            parameters[n++] = d->buf[i];
        i++;
    }
    if (i >= d->n)
        return i - at > 24 ? i : 0; /* so long a sequence is none */
    parameters[n] = '\0';
    char final = d->buf[i], *end = parameters;
    long first = strtol(parameters, &end, 10), second = 0;
    if (*end == ';')
        second = strtol(end + 1, NULL, 10);
    key->kind = UI_KEY_UNKNOWN;
    if (final < 0x40 || final > 0x7E)
        return i; /* broken off: what follows is a key of its own */
    if (parameters[0] == '<' && (final == 'M' || final == 'm'))
        mouse(key, parameters, final);
    else if (final == '~')
        set_name(key, tilde_name(first), second, is_alt);
    else
        set_name(key, letter_name(final), second, is_alt);
    return i + 1;
}

/* ---- characters ---- */

static void character(struct ui_key *key, const char *s, size_t n, bool is_alt)
{
    static const char *const named[] = {"Backspace", "Tab", "Enter", "Esc", "Space"};
    unsigned char c = (unsigned char)s[0];
    const char *name = c == 127 || c == 8 ? named[0]
                       : c == '\t'        ? named[1]
                       : c == '\r'        ? named[2]
                       : c == ESC         ? named[3]
                       : c == ' '         ? named[4]
                                          : NULL;

    key->kind = name ? UI_KEY_NAMED : UI_KEY_CHAR;
    if (name)
        snprintf(key->name, sizeof(key->name), "%s%s", is_alt ? "M-" : "", name);
    else if (c < 32)
        snprintf(key->name, sizeof(key->name), "C-%s%c", is_alt ? "M-" : "",
                 c ? (c <= 26 ? c + 'a' - 1 : c + '@') : ' ');
    else
        snprintf(key->name, sizeof(key->name), "%s%.*s", is_alt ? "M-" : "", (int)n, s);
}

/* Length of the character at buf[at]; 0: more bytes must come; -1: not valid. */
static int character_length(const struct ui_decoder *d, size_t at)
{
    unsigned char c = (unsigned char)d->buf[at];
    unsigned cp = 0;
    size_t left = d->n - at;
    int len = lr_utf8_decode(d->buf + at, left, &cp);

    if (len > 0)
        return len;
    int need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
    return need && left < (size_t)need ? 0 : -1;
}

static bool plain(struct ui_key *key, struct ui_decoder *d, size_t at, bool is_alt,
                  bool is_late)
{
    int len = character_length(d, at);

    if (len == 0 && !is_late)
        return false;
    if (len <= 0) {
        drop(d, at + 1);
        key->kind = UI_KEY_UNKNOWN;
        return true;
    }
    character(key, d->buf + at, (size_t)len, is_alt);
    take_bytes(key, d, at + (size_t)len);
    return true;
}

/* ---- paste ---- */

/* Control characters go, line ends become "; ": a paste is one edit and runs nothing. */
static void add_pasted(struct ui_decoder *d, size_t n)
{
    for (size_t i = 0; i < n && d->paste.len < MAX_PASTE; i++) {
        unsigned char c = (unsigned char)d->buf[i];
        if (c == '\r' || c == '\n') {
            size_t len = d->paste.len;
            if (len && !(len >= 2 && memcmp(d->paste.s + len - 2, "; ", 2) == 0))
                lr_strbuf_puts(&d->paste, "; ");
        } else if (c == '\t') {
            lr_strbuf_putc(&d->paste, ' ');
        } else if (c >= 32 && c != 127) {
            lr_strbuf_putc(&d->paste, (char)c);
        }
    }
}

static bool pasting(struct ui_key *key, struct ui_decoder *d)
{
    size_t len = sizeof(paste_end) - 1;

    for (size_t i = 0; i < d->n; i++) {
        size_t left = d->n - i, cmp = left < len ? left : len;
        if (d->buf[i] != ESC || memcmp(d->buf + i, paste_end, cmp) != 0)
            continue;
        add_pasted(d, i);
        drop(d, i);
        if (left < len)
            return false;
        drop(d, len);
        while (d->paste.len >= 2 && memcmp(d->paste.s + d->paste.len - 2, "; ", 2) == 0)
            d->paste.s[d->paste.len -= 2] = '\0';
        d->is_pasting = false;
        key->kind = UI_KEY_PASTE;
        return true;
    }
    add_pasted(d, d->n);
    d->n = 0;
    return false;
}

bool ui_decoder_next(struct ui_key *key, struct ui_decoder *d, bool is_late)
{
    *key = (struct ui_key){0};
    if (d->is_pasting)
        return pasting(key, d);
    if (d->n == 0)
        return false;
    if (d->buf[0] != ESC)
        return plain(key, d, 0, false, is_late);
    size_t at = 1;
    bool is_alt = false;
    if (d->n > 2 && d->buf[1] == ESC && (d->buf[2] == '[' || d->buf[2] == 'O')) {
        is_alt = true; /* Alt with an arrow, as some terminals send it */
        at = 2;
    }
    if (d->n <= at) {
        if (!is_late)
            return false;
        character(key, d->buf, 1, false);
        take_bytes(key, d, 1);
        return true;
    }
    if (d->buf[at] == '[' && d->n > at + 1) {
        size_t len = csi(key, d, at + 1, is_alt);
        if (!len && !is_late)
            return false;
        if (!len)
            len = d->n;
        bool is_paste =
            len == sizeof(paste_begin) - 1 && memcmp(d->buf, paste_begin, len) == 0;
        take_bytes(key, d, len);
        if (!is_paste)
            return true;
        d->is_pasting = true;
        lr_strbuf_reset(&d->paste);
        return pasting(key, d);
    }
    if (d->buf[at] == 'O' && d->n > at + 1) {
        set_name(key, letter_name(d->buf[at + 1]), 0, is_alt);
        take_bytes(key, d, at + 2);
        return true;
    }
    if ((d->buf[at] == '[' || d->buf[at] == 'O') && !is_late)
        return false;
    if (d->buf[at] == ESC) {
        /* Two escapes: the first stands alone. */
        character(key, d->buf, 1, false);
        take_bytes(key, d, 1);
        return true;
    }
    return plain(key, d, at, true, is_late);
}

/* ---- the other way ---- */

size_t ui_key_bytes(char out[32], const char *name)
{
    const char *s = name, *letter = NULL;
    long number = 0;
    int modifier = 0;
    int n = 0;

    while (s[0] && s[1] == '-' && s[2]) {
        modifier |= s[0] == 'S' ? 1 : s[0] == 'M' ? 2 : 4;
        s += 2;
    }
    static const struct {
        const char *name, *bytes;
    } simple[] = {{"Enter", "\r"}, {"Tab", "\t"},         {"Esc", "\033"},
                  {"Space", " "},  {"Backspace", "\177"}, {"lt", "<"}};
    for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
        if (strcmp(s, simple[i].name) == 0 && !(modifier & 5))
            n = snprintf(out, 32, "%s%s", modifier & 2 ? "\033" : "", simple[i].bytes);
    if (n)
        return (size_t)n;
    if (strcmp(s, "Tab") == 0 && modifier == 1)
        return (size_t)snprintf(out, 32, "\033[Z");
    for (size_t i = 0; i < sizeof(tilde_keys) / sizeof(tilde_keys[0]); i++)
        if (strcmp(tilde_keys[i].name, s) == 0 && tilde_keys[i].number > 1 &&
            tilde_keys[i].number != 4 && tilde_keys[i].number < 25)
            number = number ? number : tilde_keys[i].number;
    for (size_t i = 0; i < 10; i++)
        if (strcmp(letter_keys[i].name, s) == 0)
            letter = &letter_keys[i].final;
    if (letter && modifier)
        n = snprintf(out, 32, "\033[1;%d%c", modifier + 1, *letter);
    else if (letter)
        n = snprintf(out, 32, "\033%c%c", *letter >= 'P' ? 'O' : '[', *letter);
    else if (number && modifier)
        n = snprintf(out, 32, "\033[%ld;%d~", number, modifier + 1);
    else if (number)
        n = snprintf(out, 32, "\033[%ld~", number);
    else if ((modifier & 4) && s[0] >= 'a' && s[0] <= 'z' && !s[1])
        n = snprintf(out, 32, "%s%c", modifier & 2 ? "\033" : "", s[0] - 'a' + 1);
    else if (modifier == 4 && strcmp(s, "_") == 0)
        n = snprintf(out, 32, "\037");
    else if (modifier == 2 && s[0] && strlen(s) < 5)
        n = snprintf(out, 32, "\033%s", s);
    return n > 0 ? (size_t)n : 0;
}
