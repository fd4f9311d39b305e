/* The lines above and below: what is open, what is going on, and the function keys. */
#include "ui/panes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <curses.h>

#include "out/number.h"
#include "ranklab/text.h"

/* ---- title ---- */

static void add_eval(struct lr_strbuf *b, const struct ui_snapshot *s)
{
    const struct lr_eval *r = &s->eval;
    /* What a plan had before the change gives way to what is predicted of this one. */
    bool has_interval =
        !isnan(r->difference_low) && !(s->is_eval_old && s->prediction.n_learned > 0);

    if (!s->has_eval)
        return;
    if (isnan(r->top1)) {
        /* of a network that is no classifier, or without labels */
        lr_strbuf_printf(b, "  %s=", s->is_eval_old ? "(before) " : "");
        if (isnan(r->agreement))
            lr_strbuf_printf(b, "error %.5f", r->output_error);
        else
            lr_strbuf_printf(b, "agreement %.2f", 100 * r->agreement);
        return;
    }
    lr_strbuf_printf(b, "  %s=top-1 %.2f (%+.2f%s", s->is_eval_old ? "(before) " : "",
                     100 * r->top1, out_no_minus_zero(100 * r->top1_difference, 2),
                     has_interval ? "," : "");
    if (has_interval)
        lr_strbuf_printf(b, " %.2f..%.2f", out_no_minus_zero(100 * r->difference_low, 2),
                         out_no_minus_zero(100 * r->difference_high, 2));
    lr_strbuf_puts(b, ")");
}

/* While the plan itself was not evaluated. */
static void add_prediction(struct lr_strbuf *b, const struct ui_snapshot *s)
{
    const struct lr_prediction *p = &s->prediction;

    if (p->n_learned > 0 && (!s->has_eval || s->is_eval_old))
        lr_strbuf_printf(b, "  ~%s %+.2f +-%.2f", p->is_agreement ? "agreement" : "top-1",
                         out_no_minus_zero(100 * p->difference, 2),
                         50 * (p->high - p->low));
}

/* What is left out first where there is little room. */
enum brief { ALL, NO_IMAGES, NO_OLD_EVAL, NO_PREDICTION, N_BRIEF };

static void title_text(struct lr_strbuf *b, const struct ui_snapshot *s, int brief)
{
    struct lr_strbuf name = {0};

    lr_strbuf_puts(b, " ranklab");
    if (!s || !s->has_network)
        return;
    lr_text_escape(&name, s->model);
    lr_strbuf_printf(b, "  %s", name.s ? name.s : "");
    lr_strbuf_free(&name);
    if (s->n_calib >= 0 && brief < NO_IMAGES)
        lr_strbuf_printf(b, "  calib %lld", (long long)s->n_calib);
    if (s->n_eval >= 0 && brief < NO_IMAGES)
        lr_strbuf_printf(b, "  eval %lld", (long long)s->n_eval);
    lr_strbuf_printf(b, "  ~%.2fx", s->totals.speedup);
    if (s->n_chosen)
        lr_strbuf_printf(b, "  ?%d to solve", s->n_chosen);
    if (s->n_stale)
        lr_strbuf_printf(b, "  !%d stale", s->n_stale);
    if (brief < NO_PREDICTION)
        add_prediction(b, s);
    if (brief < NO_OLD_EVAL || !s->is_eval_old)
        add_eval(b, s);
}

void ui_title_draw(const struct ui_panes *p)
{
    const struct ui_snapshot *s = p->now;
    struct ui_rect r = p->at.title;
    struct lr_strbuf b = {0};

    if (r.h < 1)
        return;
    /* Half a number would be another one: what does not fit gives way to what matters
     * more. */
    for (int brief = ALL; brief < N_BRIEF; brief++) {
        lr_strbuf_reset(&b);
        title_text(&b, s, brief);
        if (!b.s || lr_text_columns(b.s) <= r.w)
            break;
    }
    ui_fill(r.y, r.x, r.w, UI_TITLE, ' ');
    ui_put(r.y, r.x, r.w, UI_TITLE, b.s ? b.s : "", p->is_ascii);
    lr_strbuf_free(&b);
}

/* ---- status ---- */

static void draw_work(const struct ui_panes *p, struct ui_rect r)
{
    const struct ui_work *k = &p->work;
    struct lr_strbuf b = {0}, what = {0};
    double spent = ui_now() - k->started;
    double left = k->fraction > 0.02 ? spent * (1 - k->fraction) / k->fraction : NAN;
    const char *hint = k->is_stopping ? "stopping" : "^C stops";
    int x = r.x + 1, bar = r.w >= 70 ? 20 : r.w >= 56 ? 8 : 0;

    lr_text_escape(&what, k->what[0]                  ? k->what
                          : k->kind == UI_JOB_START   ? "starting"
                          : k->kind == UI_JOB_SPECTRA ? "looking at the responses"
                          : k->command[0]             ? k->command
                                                      : "working");
    int room = r.w - bar - 36 > 10 ? r.w - bar - 36 : r.w - 20;
    x += ui_put(r.y, x, room, UI_HEAD, what.s ? what.s : "", p->is_ascii);
    x += 2;
    if (k->shown > 0 && bar) {
        ui_put(r.y, x, 1, UI_NORMAL, "[", true);
        ui_bar(r.y, x + 1, bar, k->shown, p->is_ascii);
        ui_put(r.y, x + 1 + bar, 1, UI_NORMAL, "]", true);
        x += bar + 3;
    }
    if (k->shown > 0)
        lr_strbuf_printf(&b, "%d %%", (int)(100 * k->shown));
    int end = r.x + r.w - (int)strlen(hint) - 1;
    if (left < 359999 && spent > 0.5) {
        size_t len = b.len;
        lr_strbuf_printf(&b, "  %d:%02d left", (int)(left + 0.5) / 60,
                         (int)(left + 0.5) % 60);
        if (b.s && (int)b.len > end - x - 1) { /* a part of it would be another time */
            b.s[len] = '\0';
            b.len = len;
        }
    }
    if (k->n_waiting)
        lr_strbuf_printf(&b, "  %d waiting", k->n_waiting);
    if (b.s && x < end)
        ui_put(r.y, x, end - x - 1, UI_NORMAL, b.s, p->is_ascii);
    ui_put(r.y, end, r.w, UI_DIM, hint, true);
    lr_strbuf_free(&what);
    lr_strbuf_free(&b);
}

/* The most needed first: a narrow screen cuts the end. */
static void draw_hint(const struct ui_panes *p, struct ui_rect r)
{
    static const char *const hints[] = {
        [UI_IN_PROMPT] = "Esc or F6: to the panes   F1: all keys   Tab: completes",
        [UI_IN_TABLE] =
            "Esc: prompt   ?: all keys   left right: rank   s: solve   Enter: "
            "give a rank   /: find",
        [UI_IN_DETAIL] =
            "Esc: prompt   ?: all keys   1-5: what is shown   up down: layer   "
            "Tab: next pane",
        [UI_IN_LOG] = "Esc: prompt   ?: all keys   up down: scroll   Tab: next pane"};

    ui_put(r.y, r.x + 1, r.w - 2, UI_DIM, hints[p->focus], true);
}

void ui_status_draw(const struct ui_panes *p)
{
    struct ui_rect r = p->at.status;

    if (r.h < 1)
        return;
    if (p->is_finding) {
        ui_putf(r.y, r.x, r.w, UI_NORMAL, p->is_ascii, "/%s", p->table.found);
        return;
    }
    if (p->message[0]) {
        ui_put(r.y, r.x + 1, r.w - 2, p->is_message_bad ? UI_BAD : UI_NORMAL, p->message,
               p->is_ascii);
        return;
    }
    /* Work that is over in a moment is not worth a flash. */
    if (p->work.is_busy && p->work.kind != UI_JOB_PLOT &&
        ui_now() - p->work.started > 0.15)
        draw_work(p, r);
    else
        draw_hint(p, r);
}

/* ---- function keys ---- */

struct bar {
    const struct ui_panes *p;
    int x, wanted; /* draws; or looks for the key at column wanted */
    int gap;       /* between a key and its text: none where there is little room */
    char found[16];
};

static void bar_width(void *ctx, const struct ui_key_help *h)
{
    int *width = ctx;

    *width += (int)strlen(h->keys) + lr_text_columns(h->text) + 2;
}

static struct bar new_bar(const struct ui_panes *p, int wanted)
{
    struct ui_rect r = p->at.keys;
    int width = -1; /* nothing behind the last */

    ui_key_each(p, "bar", bar_width, &width);
    return (struct bar){.p = p, .x = r.x, .wanted = wanted, .gap = width <= r.w};
}

static void bar_key(void *ctx, const struct ui_key_help *h)
{
    struct bar *b = ctx;
    struct ui_rect r = b->p->at.keys;
    int from = b->x;

    if (b->x + (int)strlen(h->keys) + lr_text_columns(h->text) + b->gap > r.x + r.w)
        return;
    if (b->wanted < 0)
        ui_put(r.y, b->x, r.w, UI_KEY, h->keys, true);
    b->x += (int)strlen(h->keys);
    if (b->wanted < 0)
        ui_put(r.y, b->x + b->gap, r.w, UI_NORMAL, h->text, b->p->is_ascii);
    b->x += lr_text_columns(h->text) + b->gap + 1;
    if (b->wanted >= from && b->wanted < b->x)
        snprintf(b->found, sizeof(b->found), "%s", h->keys);
}

void ui_keys_draw(const struct ui_panes *p)
{
    struct bar b = new_bar(p, -1);

    if (p->at.keys.h > 0)
        ui_key_each(p, "bar", bar_key, &b);
}

bool ui_keys_at(char key[16], const struct ui_panes *p, int x)
{
    struct bar b = new_bar(p, x);

    ui_key_each(p, "bar", bar_key, &b);
    memcpy(key, b.found, sizeof(b.found));
    return b.found[0] != '\0';
}
