/* Drawing with ncurses. Styles hold on every background: normal text and its background
 * are the terminal's own, and a colour never comes with a background of its own. Colours
 * are of middle lightness, of 256 such that contrast 3 or more to black and to white
 * remains, and each style also has an attribute or words: nothing is told by colour
 * alone.
 */
#include "ui/canvas.h"

#include <math.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <curses.h>

#include "ranklab/text.h"

/* Which attributes each style has; set once, when the screen opens or colours change. */
static attr_t styles[UI_N_STYLES];
static short pairs[UI_N_STYLES];

int ui_colors(enum cmd_color wanted)
{
    const char *no = getenv("NO_COLOR");

    if (wanted == CMD_COLOR_NEVER || (wanted == CMD_COLOR_AUTO && no && no[0]) ||
        !has_colors())
        return 0;
    return COLORS >= 256 ? 256 : COLORS >= 16 ? 16 : COLORS >= 8 ? 8 : 0;
}

void ui_styles_set(int n_colors)
{
    static const struct {
        attr_t attribute;
        short few, many; /* of 8 or 16 colours, of 256; -1: none */
    } looks[UI_N_STYLES] = {
        [UI_NORMAL] = {A_NORMAL, -1, -1},
        [UI_TITLE] = {A_REVERSE, -1, -1},
        [UI_HEAD] = {A_BOLD, -1, -1},
        [UI_DIM] = {A_DIM, -1, 244},
        [UI_CURSOR] = {A_REVERSE, -1, -1},
        [UI_MARK] = {A_BOLD | A_UNDERLINE, -1, -1},
        [UI_MEASURED] = {A_BOLD, -1, -1},
        [UI_GOOD] = {A_NORMAL, COLOR_GREEN, 28},
        [UI_WARN] = {A_BOLD, COLOR_MAGENTA, 166},
        [UI_BAD] = {A_BOLD, COLOR_RED, 160},
        [UI_BAR] = {A_NORMAL, COLOR_BLUE, 32},
        [UI_KEY] = {A_REVERSE, -1, -1},
    };

    for (int i = 0; i < UI_N_STYLES; i++) {
        short color = n_colors >= 256 ? looks[i].many : looks[i].few;
        styles[i] = looks[i].attribute;
        pairs[i] = 0;
        if (n_colors < 8 || color < 0)
            continue;
        /* Grey instead of dim where there is grey; the bar's blue is too dark on some
         * screens with few colours and is left out there. */
        if (i == UI_DIM)
            styles[i] = A_NORMAL;
        if (i == UI_BAR && n_colors < 256)
            continue;
        if (init_pair((short)(i + 1), color, -1) == OK)
            pairs[i] = (short)(i + 1);
    }
    if (n_colors >= 8)
        return;
    /* Without colours bold stands for a warning, bold and underlined for an error. */
    styles[UI_BAD] |= A_UNDERLINE;
}

/* Columns of the character of len bytes at s. */
static int columns_of(const char *s, size_t len)
{
    char one[8] = "";

    memcpy(one, s, len < sizeof(one) - 1 ? len : sizeof(one) - 1);
    return lr_text_columns(one);
}

static size_t next_length(const char *s)
{
    unsigned cp = 0;
    int len = lr_utf8_decode(s, strnlen(s, 4), &cp);

    return len > 0 ? (size_t)len : 1;
}

size_t ui_fit(int *columns, const char *text, int w)
{
    size_t i = 0;
    int used = 0;

    while (text[i]) {
        size_t len = next_length(text + i);
        int n = columns_of(text + i, len);
        if (used + n > w)
            break;
        used += n;
        i += len;
    }
    if (columns)
        *columns = used;
    return i;
}

int ui_put(int y, int x, int w, enum ui_style style, const char *text, bool is_ascii)
{
    struct lr_strbuf b = {0};
    int used = 0;

    if (y < 0 || y >= LINES || x < 0 || x >= COLS)
        return 0;
    if (x + w > COLS)
        w = COLS - x;
    size_t n = ui_fit(&used, text, w);
    for (size_t i = 0; i < n;) {
        size_t len = next_length(text + i);
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 && is_ascii)
            for (int k = columns_of(text + i, len); k > 0; k--)
                lr_strbuf_putc(&b, '?');
        else if (c < 0x20 || c == 0x7F)
            lr_strbuf_putc(&b, '?');
        else
            lr_strbuf_add(&b, text + i, len);
        i += len;
    }
    attr_set(styles[style], pairs[style], NULL);
    if (b.s)
        mvaddstr(y, x, b.s);
    attr_set(A_NORMAL, 0, NULL);
    lr_strbuf_free(&b);
    return used;
}

int ui_putf(int y, int x, int w, enum ui_style style, bool is_ascii, const char *fmt, ...)
{
    struct lr_strbuf b = {0};
    va_list ap;

    va_start(ap, fmt);
    lr_strbuf_vprintf(&b, fmt, ap);
    va_end(ap);
    int used = b.s ? ui_put(y, x, w, style, b.s, is_ascii) : 0;
    lr_strbuf_free(&b);
    return used;
}

void ui_fill(int y, int x, int n, enum ui_style style, char c)
{
    if (y < 0 || y >= LINES || x < 0)
        return;
    attr_set(styles[style], pairs[style], NULL);
    for (int i = 0; i < n && x + i < COLS; i++)
        mvaddch(y, x + i, (chtype)(unsigned char)c);
    attr_set(A_NORMAL, 0, NULL);
}

void ui_rule(int y, int x, int n, bool is_ascii)
{
    if (is_ascii) {
        ui_fill(y, x, n, UI_DIM, '-');
        return;
    }
    for (int i = 0; i < n; i++)
        ui_put(y, x + i, 1, UI_DIM, "\xE2\x94\x80", false);
}

void ui_bar(int y, int x, int w, double share, bool is_ascii)
{
    static const char *const eighths[] = {" ",
                                          "\xE2\x96\x8F",
                                          "\xE2\x96\x8E",
                                          "\xE2\x96\x8D",
                                          "\xE2\x96\x8C",
                                          "\xE2\x96\x8B",
                                          "\xE2\x96\x8A",
                                          "\xE2\x96\x89",
                                          "\xE2\x96\x88"};
    double filled = isnan(share) ? 0 : share < 0 ? 0 : share > 1 ? w : share * w;

    for (int i = 0; i < w; i++) {
        double part = filled - i;
        int n = part >= 1 ? 8 : part > 0 ? (int)(part * 8 + 0.5) : 0;
        if (is_ascii)
            ui_put(y, x + i, 1, UI_BAR, n >= 4 ? "#" : ".", true);
        else
            ui_put(y, x + i, 1, n ? UI_BAR : UI_DIM, n ? eighths[n] : "\xC2\xB7", false);
    }
}

void ui_restyle(int y, int x, int n, enum ui_style style)
{
    if (y < 0 || y >= LINES || x < 0 || x >= COLS || n <= 0)
        return;
    if (x + n > COLS)
        n = COLS - x;
    mvchgat(y, x, n, styles[style], pairs[style], NULL);
}

void ui_screen_text(struct lr_strbuf *b)
{
    for (int y = 0; y < LINES; y++) {
        size_t end = b->len;
        for (int x = 0; x < COLS;) {
            cchar_t cell;
            wchar_t wide[CCHARW_MAX + 1] = {0};
            attr_t attribute;
            short pair;
            int step = 1;
            if (mvin_wch(y, x, &cell) == ERR ||
                getcchar(&cell, wide, &attribute, &pair, NULL) == ERR)
                break;
            for (int i = 0; wide[i]; i++) {
                char bytes[MB_LEN_MAX + 1];
                mbstate_t state = {0};
                size_t n = wcrtomb(bytes, wide[i], &state);
                if (n != (size_t)-1)
                    lr_strbuf_add(b, bytes, n);
                if (i == 0 && wcwidth(wide[i]) > 1)
                    step = wcwidth(wide[i]);
            }
            if (wide[0] && wide[0] != L' ')
                end = b->len;
            x += step;
        }
        if (b->s && b->len > end)
            b->s[b->len = end] = '\0';
        lr_strbuf_putc(b, '\n');
    }
}
