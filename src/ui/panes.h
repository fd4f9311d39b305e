/* The panes: everything the main thread knows. */
#ifndef RANKLAB_UI_PANES_H
#define RANKLAB_UI_PANES_H

#include "ui/edit.h"
#include "ui/key.h"
#include "ui/log.h"
#include "ui/ui.h"
#include "ui/worker.h"

enum ui_focus { UI_IN_PROMPT, UI_IN_TABLE, UI_IN_DETAIL, UI_IN_LOG };
enum ui_tab {
    UI_TAB_PLOT,
    UI_TAB_SPECTRUM,
    UI_TAB_COST,
    UI_TAB_ERROR,
    UI_TAB_LOG,
    UI_N_TABS
};

/* Where everything stands; a rectangle without height is not shown. */
struct ui_layout {
    struct ui_rect title, table, detail, log, status, prompt, keys;
    int tabs_y, tabs_x, tabs_w; /* -1: no line of tabs */
    int rule_y;                 /* between the panes and the log, -1: none */
    int split_x;                /* column between table and detail, -1: none */
};

/* The table of layers: where the cursor is, how rows are sorted. Layers are known by
 * their index in the network, so nothing moves under the cursor. */
struct ui_table {
    int layer; /* under the cursor */
    int top;   /* first row shown */
    int first; /* first column shown behind the frozen ones */
    int sort;  /* column, -1: the network's order */
    bool is_inverted;
    bool *marks; /* per layer */
    int *order;  /* rows as layers */
    int n;
    char found[64]; /* what / looked for */
};

struct ui_panes {
    struct ui_worker *worker;
    struct ui_snapshot *now;
    struct ui_work work;
    struct ui_decoder decoder;
    struct ui_log log;
    struct ui_table table;
    struct ui_layout at;
    enum ui_focus focus, last_pane;
    enum ui_tab tab;
    bool is_zoomed;  /* the pane with the focus has all the room */
    bool is_detail;  /* shown where there is room for one pane only */
    bool is_reading; /* the log is, because something was typed */
    bool is_help;
    int help_top;
    bool is_finding;
    char message[240]; /* of the status line, until the next key */
    bool is_message_bad;
    int detail_top;
    struct ui_plot *plot; /* asked for with plot --to pane */
    int plot_layer;       /* under the cursor when it came */
    int swept,
        swept_at; /* the layer a sweep came to, -1: none; and that under the cursor */
    struct ui_picture picture;
    int asked_width, asked_height; /* of the picture that gnuplot draws now */
    char last_key[16];             /* that typed a command */
    double stopped_at;             /* the first ^C that was not answered yet */
    int n_stops;
    int status_signal; /* that ends the program */
    bool is_over, is_dirty;
    bool is_ascii, has_mouse;
    int n_colors;
};

/* ---- terminal.c ---- */

struct ui_terminal_options {
    int width, height; /* of a screen that nobody sees; 0: the terminal */
};
/* Takes the terminal; false with a message on the error stream. */
bool ui_terminal_open(const struct ui_terminal_options *o);
void ui_terminal_close(void);
/* What is printed on the standard streams meanwhile; poll this descriptor. */
int ui_terminal_stray_fd(void);
/* Stops until the shell continues the program. */
void ui_terminal_suspend(void);
/* Looks at the size again. */
void ui_terminal_resize(void);
void ui_terminal_set_size(int width, int height);
void ui_terminal_mouse(bool on);
void ui_terminal_redraw(void);
bool ui_terminal_is_real(void);

/* ---- layout.c ---- */

void ui_layout(struct ui_panes *p);
/* The pane with the focus, or the one that keys of panes act on. */
bool ui_has_table(const struct ui_panes *p);
bool ui_has_detail(const struct ui_panes *p);
bool ui_has_log(const struct ui_panes *p);

/* ---- table.c ---- */

/* Brings order and marks in line with a new snapshot. */
void ui_table_update(struct ui_panes *p);
void ui_table_draw(struct ui_panes *p);
void ui_table_move(struct ui_panes *p, int rows);
void ui_table_scroll(struct ui_panes *p, int columns);
void ui_table_sort(struct ui_panes *p, int step);
/* The next row whose name holds the text looked for; false: none. */
bool ui_table_find(struct ui_panes *p, int direction, bool from_here);
void ui_table_click(struct ui_panes *p, int y, int x);
/* NULL: no layer. */
const struct ui_layer *ui_table_layer(const struct ui_panes *p);
int ui_table_rows(const struct ui_panes *p);
void ui_table_free(struct ui_table *t);
/* The marked layers or the one under the cursor as a layer set; empty: none. */
void ui_table_here(struct lr_strbuf *b, const struct ui_panes *p);

/* ---- detail.c, plot.c ---- */

void ui_detail_draw(struct ui_panes *p);
void ui_tabs_draw(struct ui_panes *p);
/* The tab that is drawn at a place, -1: the table; false: none. */
bool ui_tab_at(int *tab, const struct ui_panes *p, int y, int x);
void ui_plot_draw(struct ui_panes *p, struct ui_rect r);
void ui_spectrum_draw(struct ui_panes *p, struct ui_rect r);
/* A picture that gnuplot drew came; takes it over. */
void ui_plot_take(struct ui_panes *p, struct ui_picture *picture);

/* ---- bars.c ---- */

void ui_title_draw(const struct ui_panes *p);
void ui_status_draw(const struct ui_panes *p);
void ui_keys_draw(const struct ui_panes *p);
/* The function key at column x of the bar. */
bool ui_keys_at(char key[16], const struct ui_panes *p, int x);

/* ---- help.c ---- */

void ui_help_draw(struct ui_panes *p);

/* ---- actions.c: what keys do ---- */

/* One row of the help: keys, what they do, the command they type or "". */
struct ui_key_help {
    const char *keys, *text, *command;
};
void ui_key_each(const struct ui_panes *p, const char *section,
                 void (*row)(void *ctx, const struct ui_key_help *h), void *ctx);
void ui_handle_key(struct ui_panes *p, const struct ui_key *key);
/* Runs a line that was typed. */
void ui_run_typed(struct ui_panes *p, const char *line);
void ui_message(struct ui_panes *p, bool is_bad, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ui_interrupt(struct ui_panes *p);

/* ---- drive.c: keys from a file ---- */

struct ui_driver;
struct ui_driver *ui_driver_open(const char *path);
void ui_driver_close(struct ui_driver *d);
/* The next keys into the decoder; false at the end. */
bool ui_driver_step(struct ui_driver *d, struct ui_panes *p);
/* Whether the next key waits until the work is done. */
bool ui_driver_waits(const struct ui_driver *d);

/* ---- panes.c ---- */

void ui_draw(struct ui_panes *p);
/* Gives a key's command a moment, so that its result is in the same frame. */
void ui_settle(struct ui_panes *p, double seconds);

#endif
