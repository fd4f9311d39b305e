/* A picture made of characters. A braille character is U+2800 plus one bit per dot; its
 * eight dots double the resolution across and quadruple it down. */
#include "plot_text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ranklab/text.h"

enum lr_status plot_canvas_new(struct plot_canvas *c, int width, int height,
                               bool is_ascii, struct lr_err *e)
{
    size_t n = (size_t)width * (size_t)height;

    *c = (struct plot_canvas){.width = width, .height = height, .is_ascii = is_ascii};
    c->dots = lr_calloc(n, 1);
    c->text = lr_calloc(n, sizeof(*c->text));
    if (c->dots && c->text)
        return LR_OK;
    plot_canvas_free(c);
    return lr_enomem(e, n * (1 + sizeof(*c->text)), "a character plot");
}

void plot_canvas_free(struct plot_canvas *c)
{
    lr_free(c->dots);
    lr_free(c->text);
    *c = (struct plot_canvas){0};
}

int plot_canvas_dots_x(const struct plot_canvas *c)
{
    return c->is_ascii ? 1 : 2;
}

int plot_canvas_dots_y(const struct plot_canvas *c)
{
    return c->is_ascii ? 1 : 4;
}

void plot_canvas_dot(struct plot_canvas *c, int x, int y, char mark)
{
    static const unsigned char bits[4][2] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int dx = plot_canvas_dots_x(c), dy = plot_canvas_dots_y(c);

    if (x < 0 || y < 0 || x >= c->width * dx || y >= c->height * dy)
        return;
    unsigned char *cell = &c->dots[(y / dy) * c->width + x / dx];
    if (c->is_ascii)
        *cell = (unsigned char)mark;
    else
        *cell |= bits[y % 4][x % 2];
}

void plot_canvas_line(struct plot_canvas *c, int x1, int y1, int x2, int y2, char mark)
{
    int dx = abs(x2 - x1), dy = -abs(y2 - y1), err = dx + dy;
    int step_x = x1 < x2 ? 1 : -1, step_y = y1 < y2 ? 1 : -1;

    for (;;) {
        plot_canvas_dot(c, x1, y1, mark);
        if (x1 == x2 && y1 == y2)
            return;
        int twice = 2 * err;
        if (twice >= dy) {
            err += dy;
            x1 += step_x;
        }
        if (twice <= dx) {
            err += dx;
            y1 += step_y;
        }
    }
}

int plot_canvas_text(struct plot_canvas *c, int col, int row, const char *s, int max)
{
    size_t n = strlen(s);
    int used = 0;

    if (row < 0 || row >= c->height || col < 0)
        return 0;
    for (size_t i = 0; i < n;) {
        char one[5];
        i += lr_utf8_take(one, s + i, n - i);
        int width = lr_text_columns(one);
        if (width < 1)
            continue;
        if (used + width > max || col + used + width > c->width)
            break;
        char(*cell)[5] = &c->text[row * c->width + col + used];
        memcpy(*cell, one, sizeof(one));
        for (int j = 1; j < width; j++)
            memcpy(cell[j], "\1", 2);
        used += width;
    }
    return used;
}

bool plot_canvas_is_free(const struct plot_canvas *c, int col, int row, int n)
{
    if (row < 0 || row >= c->height || col < 0 || col + n > c->width)
        return false;
    for (int i = col; i < col + n; i++)
        if (c->text[row * c->width + i][0])
            return false;
    return true;
}

static void render_cell(struct lr_strbuf *b, const struct plot_canvas *c, int i)
{
    const char *text = c->text[i];
    unsigned dots = c->dots[i];

    if (text[0] == '\1')
        return;
    if (text[0]) {
        lr_strbuf_puts(b, text);
    } else if (dots && c->is_ascii) {
        lr_strbuf_putc(b, (char)dots);
    } else if (dots) {
        char braille[3] = {(char)0xE2, (char)(0xA0 | dots >> 6),
                           (char)(0x80 | (dots & 0x3F))};
        lr_strbuf_add(b, braille, 3);
    } else {
        lr_strbuf_putc(b, ' ');
    }
}

void plot_canvas_render(struct lr_strbuf *b, const struct plot_canvas *c)
{
    for (int row = 0; row < c->height; row++) {
        int end = c->width;
        while (end > 0) {
            int i = row * c->width + end - 1;
            bool is_space = !c->text[i][0] || strcmp(c->text[i], " ") == 0;
            if (!is_space || (!c->text[i][0] && c->dots[i]))
                break;
            end--;
        }
        for (int col = 0; col < end; col++)
            render_cell(b, c, row * c->width + col);
        lr_strbuf_putc(b, '\n');
    }
}
