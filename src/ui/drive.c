/* Keys from a file, for tests. Text stands for itself; <F6>, <Enter>, <C-c> and so on are
 * keys, <lt> is <. The ends of lines mean nothing, lines that begin with # are comments.
 *   <size 60x15>    another size of the screen
 *   <dump FILE>     writes the screen as text
 *   <paste TEXT>    a bracketed paste, \n in it a line end
 *   <click X Y>     the mouse, counted from 0
 *   <nowait>        the keys that follow do not wait for work; <wait>: they do again
 *   <sleep MS>      only between keys that do not wait */
#include "ui/panes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ui_driver {
    char *text;
    size_t at, n;
    bool is_impatient;
};

struct ui_driver *ui_driver_open(const char *path)
{
    FILE *fp = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    struct lr_strbuf b = {0};
    char buf[4096];
    size_t n;

    if (!fp) {
        fprintf(stderr, "ranklab: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    while ((n = fread(buf, 1, sizeof(buf), fp)) > 0)
        lr_strbuf_add(&b, buf, n);
    if (fp != stdin)
        fclose(fp);
    struct ui_driver *d = lr_calloc(1, sizeof(*d));
    if (d) {
        d->n = b.len;
        d->text = lr_strbuf_take(&b);
    }
    lr_strbuf_free(&b);
    return d;
}

void ui_driver_close(struct ui_driver *d)
{
    if (d)
        lr_free(d->text);
    lr_free(d);
}

bool ui_driver_waits(const struct ui_driver *d)
{
    return !d->is_impatient;
}

static void dump(struct ui_panes *p, const char *path)
{
    struct lr_strbuf b = {0};
    struct lr_err e = {0};

    ui_draw(p);
    ui_screen_text(&b);
    if (b.s && lr_file_write(path, b.s, b.len, &e) != LR_OK)
        ui_message(p, true, "%s", e.msg);
    lr_strbuf_free(&b);
}

static void paste(struct ui_panes *p, const char *text)
{
    ui_decoder_feed(&p->decoder, "\033[200~", 6);
    for (const char *s = text; *s; s++)
        if (s[0] == '\\' && s[1] == 'n') {
            ui_decoder_feed(&p->decoder, "\n", 1);
            s++;
        } else {
            ui_decoder_feed(&p->decoder, s, 1);
        }
    ui_decoder_feed(&p->decoder, "\033[201~", 6);
}

static void special(struct ui_driver *d, struct ui_panes *p, const char *word)
{
    char bytes[32];
    int w, h, ms, x, y;

    if (sscanf(word, "size %dx%d", &w, &h) == 2) {
        ui_terminal_set_size(w, h);
        p->is_dirty = true;
        ui_draw(p);
    } else if (strncmp(word, "dump ", 5) == 0) {
        dump(p, word + 5);
    } else if (strncmp(word, "paste ", 6) == 0) {
        paste(p, word + 6);
    } else if (sscanf(word, "click %5d %5d", &x, &y) == 2) {
        int n = snprintf(bytes, sizeof(bytes), "\033[<0;%d;%dM", x + 1, y + 1);
        ui_decoder_feed(&p->decoder, bytes, (size_t)n);
    } else if (strcmp(word, "nowait") == 0 || strcmp(word, "wait") == 0) {
        d->is_impatient = word[0] == 'n';
    } else if (sscanf(word, "sleep %5d", &ms) == 1 && ms >= 0) {
        ui_draw(p);
        poll(NULL, 0, ms);
    } else {
        size_t n = word[0] && !word[1] ? 1 : ui_key_bytes(bytes, word);
        if (word[0] && !word[1])
            bytes[0] = word[0];
        if (n)
            ui_decoder_feed(&p->decoder, bytes, n);
        else
            ui_message(p, true, "there is no key <%s>", word);
    }
}

bool ui_driver_step(struct ui_driver *d, struct ui_panes *p)
{
    if (!d->text)
        return false;
    while (d->at < d->n) {
        const char *s = d->text + d->at;
        bool is_start = d->at == 0 || s[-1] == '\n';
        if (is_start && *s == '#') {
            d->at += strcspn(s, "\n");
            continue;
        }
        if (*s == '\n') {
            d->at++;
            continue;
        }
        size_t len = strcspn(s, ">");
        if (*s == '<' && s[len] == '>') {
            char *word = lr_strndup(s + 1, len - 1);
            d->at += len + 1;
            if (word)
                special(d, p, word);
            lr_free(word);
            return true;
        }
        ui_decoder_feed(&p->decoder, s, 1);
        d->at++;
        /* The bytes of one character come together. */
        while (d->at < d->n && ((unsigned char)d->text[d->at] & 0xC0) == 0x80)
            ui_decoder_feed(&p->decoder, d->text + d->at++, 1);
        return true;
    }
    return false;
}
