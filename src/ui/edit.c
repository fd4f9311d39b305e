/* readline through its callback interface, without a terminal of its own: keys come out
 * of a queue that always holds whole characters, drawing is left to the panes, and what
 * readline prints by itself goes through a pipe into the log. */
#include "ui/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <readline/readline.h>
#include <readline/history.h>

#include "ranklab/text.h"
#include "ui/ui.h"

static const char prompt_text[] = "ranklab> ", more_text[] = "    ...> ";

enum { FIFO_SIZE = 256, CANCEL = 7 };

/* readline's callbacks carry no context. */
static struct {
    char fifo[FIFO_SIZE];
    size_t n, at;
    struct lr_strbuf text; /* the lines of one command so far */
    bool has_line, is_end, is_discarding;
    int ends[2];
    void (*list)(void *ctx, const char *text, size_t n);
    void *ctx;
    int first; /* columns scrolled to the left */
} edit = {.ends = {-1, -1}};

static int next_byte(FILE *fp)
{
    (void)fp;
    /* Whole keys are queued, so an empty queue means a key that readline does not have;
     * its cancel character ends whatever waits for more. */
    return edit.at < edit.n ? (unsigned char)edit.fifo[edit.at++] : CANCEL;
}

static int has_byte(void)
{
    return edit.at < edit.n;
}

static void redisplay(void)
{
    /* Every turn of the loop draws. */
}

static void take_line(char *line)
{
    if (!line) {
        edit.is_end = true;
        return;
    }
    if (!edit.is_discarding)
        lr_strbuf_puts(&edit.text, line);
    free(line);
    if (edit.is_discarding)
        return;
    if (cmd_line_continues(edit.text.s ? edit.text.s : "")) {
        lr_strbuf_putc(&edit.text, '\n');
        rl_set_prompt(more_text);
        return;
    }
    edit.has_line = true;
    /* Here, before readline looks at the history for the next line: a line added later
     * would be taken for the one that is edited. */
    if (edit.text.s)
        ui_history_keep(edit.text.s);
    rl_set_prompt(prompt_text);
}

/* The completions in columns, as in a shell. */
static void list_matches(char **matches, int n, int longest)
{
    struct lr_strbuf b = {0};
    int rows, cols, width = 0;

    rl_get_screen_size(&rows, &cols);
    for (int i = 1; i <= n; i++) {
        int w = lr_text_columns(matches[i]);
        width = w > width ? w : width;
    }
    (void)longest;
    int across = cols / (width + 2) > 0 ? cols / (width + 2) : 1;
    int down = (n + across - 1) / across;
    for (int row = 0; row < down; row++) {
        for (int i = row; i < n; i += down) {
            int pad = i + down < n ? width + 2 - lr_text_columns(matches[i + 1]) : 0;
            lr_strbuf_puts(&b, matches[i + 1]);
            while (pad-- > 0)
                lr_strbuf_putc(&b, ' ');
        }
        lr_strbuf_putc(&b, '\n');
    }
    if (b.s)
        edit.list(edit.ctx, b.s, b.len);
    lr_strbuf_free(&b);
}

bool ui_edit_begin(void (*list)(void *ctx, const char *text, size_t n), void *ctx)
{
    if (pipe2(edit.ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    FILE *out = fdopen(edit.ends[1], "w");
    if (!out) {
        close(edit.ends[0]);
        close(edit.ends[1]);
        return false;
    }
    setvbuf(out, NULL, _IONBF, 0);
    edit.list = list;
    edit.ctx = ctx;
    ui_readline_begin();
    rl_outstream = out;
    rl_prep_term_function = NULL;
    rl_deprep_term_function = NULL;
    rl_getc_function = next_byte;
    rl_input_available_hook = has_byte;
    rl_redisplay_function = redisplay;
    rl_completion_display_matches_hook = list_matches;
    rl_callback_handler_install(prompt_text, take_line);
    rl_variable_bind("enable-bracketed-paste", "off");
    rl_variable_bind("bell-style", "none");
    return true;
}

void ui_edit_end(void)
{
    if (edit.ends[0] < 0)
        return;
    rl_callback_handler_remove();
    fclose(rl_outstream);
    rl_outstream = stdout;
    close(edit.ends[0]);
    edit.ends[0] = edit.ends[1] = -1;
    lr_strbuf_free(&edit.text);
    ui_readline_end();
}

int ui_edit_fd(void)
{
    return edit.ends[0];
}

void ui_edit_drain(void)
{
    struct lr_strbuf b = {0};
    char buf[1024];
    ssize_t n;

    while ((n = read(edit.ends[0], buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] == '\033') {
                /* A sequence for a terminal it does not have. */
                while (i + 1 < n &&
                       !((buf[i + 1] | 32) >= 'a' && (buf[i + 1] | 32) <= 'z'))
                    i++;
                i++;
            } else if (buf[i] != '\r' && buf[i] != '\a') {
                lr_strbuf_putc(&b, buf[i]);
            }
    size_t skip = b.s ? strspn(b.s, " \n") : 0;
    if (b.s && b.s[skip])
        edit.list(edit.ctx, b.s + skip, b.len - skip);
    lr_strbuf_free(&b);
}

/* Keys that belong to an incremental search: text, C-r C-s C-g C-h C-w C-y C-j Enter. */
static bool is_of_search(const char *bytes, size_t n)
{
    unsigned char c = (unsigned char)bytes[0];

    return c >= 32 ? n == 1 || c >= 0x80
                   : n == 1 && c && strchr("\022\023\007\010\027\031\n\r", c);
}

static void feed(const char *bytes, size_t n)
{
    memcpy(edit.fifo, bytes, n);
    edit.n = n;
    edit.at = 0;
    while (edit.at < edit.n && !edit.is_end)
        rl_callback_read_char();
    edit.n = edit.at = 0;
}

void ui_edit_key(const char *bytes, size_t n)
{
    if (n == 0 || n > FIFO_SIZE)
        return;
    /* Other keys end the search and are then what they are; readline itself fails on some
     * of them, such as C-x. */
    if (RL_ISSTATE(RL_STATE_ISEARCH) && !is_of_search(bytes, n))
        feed("\n", 1);
    feed(bytes, n);
}

bool ui_edit_knows(const char *bytes, size_t n)
{
    int type = 0;

    return rl_function_of_keyseq_len(bytes, n, NULL, &type) != NULL;
}

void ui_edit_insert(const char *text)
{
    if (ui_edit_is_searching()) {
        for (const char *s = text; *s; s++)
            ui_edit_key(s, 1);
        return;
    }
    rl_begin_undo_group();
    rl_insert_text(text);
    rl_end_undo_group();
}

void ui_edit_set(const char *text)
{
    rl_begin_undo_group();
    rl_delete_text(0, rl_end);
    rl_point = 0;
    rl_insert_text(text);
    rl_end_undo_group();
}

void ui_edit_clear(void)
{
    /* Like a line that is entered and forgotten: readline then sorts out its lists of
     * changes itself. Releasing them from outside frees some twice. */
    edit.is_discarding = true;
    for (int i = 0; i < 3 && ui_edit_is_searching(); i++)
        ui_edit_key("\007", 1);
    rl_delete_text(0, rl_end);
    rl_point = 0;
    ui_edit_key("\r", 1);
    edit.is_discarding = edit.has_line = false;
    lr_strbuf_reset(&edit.text);
    rl_set_prompt(prompt_text);
}

bool ui_edit_is_vi(void)
{
    return rl_editing_mode == 0;
}

bool ui_edit_is_searching(void)
{
    return (rl_readline_state &
            (RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG |
             RL_STATE_MOREINPUT | RL_STATE_METANEXT | RL_STATE_CHARSEARCH |
             RL_STATE_MULTIKEY)) != 0;
}

char *ui_edit_take(void)
{
    if (!edit.has_line)
        return NULL;
    edit.has_line = false;
    return lr_strbuf_take(&edit.text);
}

bool ui_edit_is_end(void)
{
    bool was = edit.is_end;

    edit.is_end = false;
    return was;
}

void ui_edit_resize(int h, int w)
{
    rl_set_screen_size(h, w > 1 ? w : 2);
}

/* ---- drawing ---- */

/* s as it is shown: control characters as ^X, what is not UTF-8 as \ooo. */
static void add_shown(struct lr_strbuf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        unsigned cp = 0;
        unsigned char c = (unsigned char)s[i];
        int len = lr_utf8_decode(s + i, n - i, &cp);
        if (c == RL_PROMPT_START_IGNORE || c == RL_PROMPT_END_IGNORE) {
        } else if (c < 32 || c == 127) {
            lr_strbuf_putc(b, '^');
            lr_strbuf_putc(b, (char)(c ^ 64));
        } else if (len == 0) {
            lr_strbuf_printf(b, "\\%03o", c);
        } else {
            lr_strbuf_add(b, s + i, (size_t)len);
        }
        i += len > 0 ? (size_t)len : 1;
    }
}

int ui_edit_draw(int y, int x, int w, bool is_ascii)
{
    struct lr_strbuf b = {0};
    const char *prompt = rl_display_prompt ? rl_display_prompt : prompt_text;

    if (w <= 0)
        return x;
    add_shown(&b, prompt, strlen(prompt));
    add_shown(&b, rl_line_buffer, (size_t)rl_point);
    int cursor = b.s ? lr_text_columns(b.s) : 0;
    add_shown(&b, rl_line_buffer + rl_point, (size_t)(rl_end - rl_point));
    /* Half a line at a time, so that the cursor never sticks to an edge. */
    if (cursor < edit.first || cursor >= edit.first + w)
        edit.first = cursor < w ? 0 : (cursor - w + w / 2 + 1);
    if (b.s && lr_text_columns(b.s) < w)
        edit.first = 0;
    if (edit.first > cursor)
        edit.first = cursor;
    int skipped = 0;
    size_t at = b.s && edit.first > 0 ? ui_fit(&skipped, b.s, edit.first) : 0;
    /* A wide character that the edge would cut leaves a blank. */
    int gap = 0;
    if (edit.first > skipped && b.s && b.s[at]) {
        int wide = 0;
        at += ui_fit(&wide, b.s + at, 2);
        gap = skipped + wide - edit.first;
    }
    if (b.s)
        ui_put(y, x + gap, w - gap, UI_NORMAL, b.s + at, is_ascii);
    lr_strbuf_free(&b);
    return x + cursor - edit.first;
}
