/* The types of arguments: each parses, prints, completes and describes itself in one row
 * of cmd_types. Nothing here needs a session, except completion, which only looks. */
#include "cmd/types.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/context.h"
#include "ranklab/configs.h"
#include "ranklab/text.h"

void cmd_words_add(struct cmd_words *ws, const char *s)
{
    if (ws->n == ws->cap) {
        size_t cap = ws->cap ? 2 * ws->cap : 16;
        char **w = lr_realloc(ws->w, ws->n, cap, sizeof(*w));
        if (!w) {
            ws->is_failed = true;
            return;
        }
        ws->w = w;
        ws->cap = cap;
    }
    char *copy = lr_strdup(s);
    if (copy)
        ws->w[ws->n++] = copy;
    else
        ws->is_failed = true;
}

void cmd_words_free(struct cmd_words *ws)
{
    for (size_t i = 0; i < ws->n; i++)
        lr_free(ws->w[i]);
    lr_free(ws->w);
    *ws = (struct cmd_words){0};
}

static void add_matching(struct cmd_words *out, const char *word, const char *prefix)
{
    if (strncmp(word, prefix, strlen(prefix)) == 0)
        cmd_words_add(out, word);
}

/* ---- words ---- */

static enum lr_status parse_nonempty(struct cmd_value *v, const struct cmd_param *p,
                                     struct cmd_error *e)
{
    if (v->text[0])
        return LR_OK;
    return cmd_fail_at(e, v->begin, LR_EINVAL, "%s is empty", p->name);
}

static enum lr_status unknown_word(struct cmd_error *e, const struct cmd_value *v,
                                   const char *what, const struct cmd_words *known)
{
    struct lr_strbuf list = {0};
    const char *near = lr_text_nearest(v->text, (const char *const *)known->w, known->n);

    for (size_t i = 0; i < known->n; i++)
        lr_strbuf_printf(&list, "%s%s", i ? ", " : "", known->w[i]);
    if (near)
        cmd_hint(e, "did you mean %s?", near);
    else if (list.s)
        cmd_hint(e, "known: %s", list.s);
    lr_strbuf_free(&list);
    /* What a command does has no better name than that. */
    return cmd_fail_at(e, v->begin, LR_EINVAL, "unknown %s %s",
                       strcmp(what, "what") == 0 ? "word" : what, v->text);
}

static void complete_method(struct cmd_words *out, const struct cmd_param *p,
                            const struct cmd_ctx *c, const char *prefix)
{
    (void)p, (void)c;
    for (int i = 0; i < lr_n_methods; i++)
        add_matching(out, lr_methods[i].name, prefix);
}

static void complete_rule(struct cmd_words *out, const struct cmd_param *p,
                          const struct cmd_ctx *c, const char *prefix)
{
    (void)p, (void)c;
    for (int i = 0; i < lr_n_rank_rules; i++)
        add_matching(out, lr_rank_rules[i].name, prefix);
}

static void complete_choice(struct cmd_words *out, const struct cmd_param *p,
                            const struct cmd_ctx *c, const char *prefix)
{
    (void)c;
    for (size_t i = 0; p->choices && p->choices[i]; i++)
        add_matching(out, p->choices[i], prefix);
}

static void complete_setting(struct cmd_words *out, const struct cmd_param *p,
                             const struct cmd_ctx *c, const char *prefix)
{
    (void)p, (void)c;
    for (size_t i = 0; i < cmd_n_settings; i++)
        add_matching(out, cmd_settings_table[i].name, prefix);
}

static void complete_topic(struct cmd_words *out, const struct cmd_param *p,
                           const struct cmd_ctx *c, const char *prefix)
{
    (void)p, (void)c;
    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++)
            add_matching(out, cmd_name(&cmd_groups[g]->rows[i]).s, prefix);
    for (size_t i = 0; i < cmd_n_topics; i++)
        add_matching(out, cmd_topics[i].name, prefix);
}

static enum lr_status parse_known(struct cmd_value *v, const struct cmd_param *p,
                                  struct cmd_error *e, const char *what,
                                  void (*list)(struct cmd_words *,
                                               const struct cmd_param *,
                                               const struct cmd_ctx *, const char *))
{
    struct cmd_words known = {0};
    enum lr_status st = LR_OK;

    list(&known, p, NULL, "");
    if (known.is_failed) { /* the places of the words would be wrong */
        st = lr_enomem(&e->err, known.n * sizeof(*known.w), "a list of words");
        goto out;
    }
    for (size_t i = 0; i < known.n; i++)
        if (strcmp(known.w[i], v->text) == 0) {
            v->i = (int64_t)i;
            goto out;
        }
    st = unknown_word(e, v, what, &known);
out:
    cmd_words_free(&known);
    return st;
}

static enum lr_status parse_method(struct cmd_value *v, const struct cmd_param *p,
                                   struct cmd_error *e)
{
    return parse_known(v, p, e, "method", complete_method);
}

static enum lr_status parse_rule(struct cmd_value *v, const struct cmd_param *p,
                                 struct cmd_error *e)
{
    return parse_known(v, p, e, "rule", complete_rule);
}

static enum lr_status parse_choice(struct cmd_value *v, const struct cmd_param *p,
                                   struct cmd_error *e)
{
    char name[32];
    size_t n = 0;

    /* Arguments are named in capitals. */
    for (; p->name[n] && n + 1 < sizeof(name); n++)
        name[n] = (char)tolower((unsigned char)p->name[n]);
    name[n] = '\0';
    return parse_known(v, p, e, name, complete_choice);
}

static enum lr_status parse_setting(struct cmd_value *v, const struct cmd_param *p,
                                    struct cmd_error *e)
{
    return parse_known(v, p, e, "setting", complete_setting);
}

/* ---- configurations ---- */

static void complete_config(struct cmd_words *out, const struct cmd_param *p,
                            const struct cmd_ctx *c, const char *prefix)
{
    const struct lr_configs *all = c ? c->session->configs : NULL;

    (void)p;
    for (int i = 0; all && i < all->n; i++)
        add_matching(out, all->items[i].name, prefix);
}

static enum lr_status parse_config(struct cmd_value *v, const struct cmd_param *p,
                                   struct cmd_error *e)
{
    (void)p;
    if (lr_config_name_is_valid(v->text))
        return LR_OK;
    cmd_hint(e, "1 to %d letters, digits and . _ - +, the first a letter or a digit",
             LR_CONFIG_NAME_MAX);
    return cmd_fail_at(e, v->begin, LR_EINVAL, "%s is no name for a configuration",
                       v->text[0] ? v->text : "''");
}

/* ---- layers, models, paths ---- */

static void complete_layer(struct cmd_words *out, const struct cmd_param *p,
                           const struct cmd_ctx *c, const char *prefix)
{
    (void)p;
    for (int i = 0; c && i < c->session->n_layers; i++)
        add_matching(out, c->session->layers[i].name, prefix);
}

/* A set is completed behind its last comma or "..". */
static void complete_set(struct cmd_words *out, const struct cmd_param *p,
                         const struct cmd_ctx *c, const char *prefix)
{
    static const char *const words[] = {"all", "@stale", "@solved"};
    struct cmd_words tails = {0};
    const char *tail = prefix;
    struct lr_strbuf b = {0};

    for (const char *s = prefix; *s; s++) {
        if (*s == ',')
            tail = s + 1;
        else if (s[0] == '.' && s[1] == '.')
            tail = s + 2;
    }
    complete_layer(&tails, p, c, tail);
    for (size_t i = 0; i < 3 && !strstr(prefix, ".."); i++)
        add_matching(&tails, words[i], tail);
    for (size_t i = 0; i < tails.n; i++) {
        lr_strbuf_reset(&b);
        lr_strbuf_add(&b, prefix, (size_t)(tail - prefix));
        lr_strbuf_puts(&b, tails.w[i]);
        if (b.s)
            cmd_words_add(out, b.s);
    }
    lr_strbuf_free(&b);
    cmd_words_free(&tails);
}

static void complete_embedded(struct cmd_words *out, const struct cmd_param *p,
                              const struct cmd_ctx *c, const char *prefix)
{
    (void)p, (void)c;
    for (int i = 0; i < lr_n_embedded; i++)
        add_matching(out, lr_embedded[i].name, prefix);
}

static void complete_rank(struct cmd_words *out, const struct cmd_param *p,
                          const struct cmd_ctx *c, const char *prefix)
{
    static const char *const words[] = {"50%", "e=99%", "x=2", "full"};

    (void)p, (void)c;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        add_matching(out, words[i], prefix);
}

static void complete_command(struct cmd_words *out, const struct cmd_param *p,
                             const struct cmd_ctx *c, const char *prefix)
{
    (void)p, (void)c;
    for (size_t g = 0; g < cmd_n_groups; g++)
        for (size_t i = 0; i < cmd_groups[g]->n_rows; i++)
            add_matching(out, cmd_name(&cmd_groups[g]->rows[i]).s, prefix);
}

static void print_path(struct lr_strbuf *b, const struct cmd_value *v,
                       const struct cmd_param *p, bool is_absolute)
{
    char here[PATH_MAX];
    struct lr_strbuf path = {0};

    for (size_t i = 0; p->choices && p->choices[i]; i++)
        if (strcmp(v->text, p->choices[i]) == 0)
            is_absolute = false;
    if (!is_absolute || v->text[0] == '/' || v->text[0] == '@' ||
        strncmp(v->text, "~/", 2) == 0 || !getcwd(here, sizeof(here))) {
        cmd_quote(b, v->text);
        return;
    }
    lr_strbuf_printf(&path, "%s/%s", strcmp(here, "/") == 0 ? "" : here, v->text);
    cmd_quote(b, path.s ? path.s : v->text);
    lr_strbuf_free(&path);
}

const struct cmd_type cmd_types[CMD_N_TYPES] = {
    [CMD_T_FLAG] = {.id = CMD_T_FLAG},
    [CMD_T_INT] = {CMD_T_INT, "N", "a whole number", cmd_type_int, NULL, NULL, false},
    [CMD_T_REAL] = {CMD_T_REAL, "X", "a number", cmd_type_real, NULL, NULL, false},
    [CMD_T_REALS] = {CMD_T_REALS, "X,...", "numbers, with commas between them",
                     cmd_type_reals, NULL, NULL, false},
    [CMD_T_PIXELS] = {CMD_T_PIXELS, "N|H,W", "in pixels", cmd_type_reals, NULL, NULL,
                      false},
    [CMD_T_SHARE] = {CMD_T_SHARE, "SHARE", "99% or 0.99", cmd_type_share, NULL, NULL,
                     false},
    [CMD_T_FACTOR] = {CMD_T_FACTOR, "X", "a factor such as 4 or 2.5x", cmd_type_factor,
                      NULL, NULL, false},
    [CMD_T_RANGE] = {CMD_T_RANGE, "A:B:STEP",
                     "numbers from A to B; without STEP by 1, a single number is itself",
                     cmd_type_range, NULL, NULL, false},
    [CMD_T_AMOUNT] = {CMD_T_AMOUNT, "N", "3500, 250k, 12M or 1.5G (powers of 1000)",
                      cmd_type_amount, NULL, NULL, false},
    [CMD_T_RANK] = {CMD_T_RANK, "VALUE", "64, 50%, e=99%, x=2 or full", cmd_type_rank,
                    NULL, complete_rank, false},
    [CMD_T_SHAPE] = {CMD_T_SHAPE, "SHAPE", "such as 1x3x224x224", cmd_type_shape, NULL,
                     NULL, false},
    [CMD_T_PATH_IN] = {CMD_T_PATH_IN, "FILE", "a file to read", parse_nonempty,
                       print_path, complete_choice, true},
    [CMD_T_PATH_OUT] = {CMD_T_PATH_OUT, "FILE", "a file to write", parse_nonempty,
                        print_path, complete_choice, true},
    [CMD_T_MODEL] = {CMD_T_MODEL, "MODEL",
                     "an ONNX file or an embedded network (@fashion)", parse_nonempty,
                     print_path, complete_embedded, true},
    [CMD_T_IMAGES] = {CMD_T_IMAGES, "SRC",
                      "idx or idx.gz, .npy, a folder, or embedded images (@fashion)",
                      parse_nonempty, print_path, complete_embedded, true},
    [CMD_T_LAYER] = {CMD_T_LAYER, "LAYER", "a layer's name or number", parse_nonempty,
                     NULL, complete_layer, false},
    [CMD_T_SET] = {CMD_T_SET, "SET", "layers, see help layer-sets", parse_nonempty, NULL,
                   complete_set, false},
    [CMD_T_METHOD] = {CMD_T_METHOD, "METHOD", "see help methods", parse_method, NULL,
                      complete_method, false},
    [CMD_T_RULE] = {CMD_T_RULE, "RULE", "see help rules", parse_rule, NULL, complete_rule,
                    false},
    [CMD_T_CHOICE] = {CMD_T_CHOICE, "WORD", NULL, parse_choice, NULL, complete_choice,
                      false},
    [CMD_T_SETTING] = {CMD_T_SETTING, "NAME", "a setting, see show", parse_setting, NULL,
                       complete_setting, false},
    [CMD_T_CONFIG] = {CMD_T_CONFIG, "NAME", "the name of a configuration", parse_config,
                      NULL, complete_config, false},
    [CMD_T_TOPIC] = {CMD_T_TOPIC, "TOPIC", "a command or a topic", parse_nonempty, NULL,
                     complete_topic, false},
    [CMD_T_TEXT] = {CMD_T_TEXT, "TEXT", "a word; quote blanks", NULL, NULL, NULL, false},
    [CMD_T_WORDS] = {CMD_T_WORDS, "TEXT...", "the rest of the line", NULL, NULL, NULL,
                     false},
    [CMD_T_EXPR] = {CMD_T_EXPR, "EXPR", "a comparison, see help expressions", NULL, NULL,
                    NULL, false},
    [CMD_T_COMMAND] = {CMD_T_COMMAND, "COMMAND", "any command", NULL, NULL,
                       complete_command, false},
};
