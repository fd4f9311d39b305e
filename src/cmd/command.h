/* Commands are data: a row beside each handler, read by the prompt, scripts, pane keys,
 * help, the man page and completion. Parsing is pure: it needs no session and changes
 * nothing. */
#ifndef RANKLAB_CMD_COMMAND_H
#define RANKLAB_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cmd/lexer.h"
#include "ranklab/err.h"
#include "ranklab/mem.h"
#include "ranklab/tensor.h"

struct cmd_ctx;
struct cmd_call;

/* ---- types of arguments and options: one row per type in types.c ---- */

enum cmd_type_id {
    CMD_T_FLAG,     /* options only: takes no value */
    CMD_T_INT,      /* a whole number */
    CMD_T_REAL,     /* a number */
    CMD_T_REALS,    /* numbers with commas */
    CMD_T_PIXELS,   /* one number or two, parsed as REALS */
    CMD_T_SHARE,    /* 50% or 0.5 */
    CMD_T_FACTOR,   /* 4 or 4x */
    CMD_T_RANGE,    /* A:B:STEP */
    CMD_T_AMOUNT,   /* 3500, 12M: decimal k, M, G */
    CMD_T_RANK,     /* 64, 50%, e=99%, x=2, full; 40,28 */
    CMD_T_SHAPE,    /* 1x3x224x224 */
    CMD_T_PATH_IN,  /* a file to read */
    CMD_T_PATH_OUT, /* a file to write */
    CMD_T_MODEL,    /* a model file or @NAME */
    CMD_T_IMAGES,   /* an image file or @NAME */
    CMD_T_LAYER,    /* one layer */
    CMD_T_SET,      /* a layer set */
    CMD_T_METHOD,
    CMD_T_RULE,
    CMD_T_CHOICE, /* one of the parameter's choices */
    CMD_T_SETTING,
    CMD_T_CONFIG, /* the name of a configuration */
    CMD_T_TOPIC,  /* a command or a help topic */
    CMD_T_TEXT,
    CMD_T_WORDS,   /* arguments only, the last: all words that are left */
    CMD_T_EXPR,    /* arguments only, the last: a comparison */
    CMD_T_COMMAND, /* arguments only, the last: a whole command */
    CMD_N_TYPES
};

enum {
    CMD_OPTIONAL = 1, /* an argument that may be left out */
    CMD_HIDDEN = 2    /* not shown in help */
};

/* One argument or option of a command; arrays end with a NULL name. */
struct cmd_param {
    const char *name; /* "SET" for an argument, "round" for an option */
    enum cmd_type_id type;
    unsigned flags;
    const char *help;
    const char *const *choices; /* CMD_T_CHOICE: the words, ends with NULL; for a path,
                                   words that are meant instead of one */
    double min, max;            /* for numbers, when min < max */
    const char *when;           /* the first argument for which the choices hold; NULL:
                                   any */
};

enum cmd_rank_kind {
    CMD_RANK_NUMBER,  /* i */
    CMD_RANK_SHARE,   /* r of the filters */
    CMD_RANK_ENERGY,  /* r of the energy */
    CMD_RANK_SPEEDUP, /* r times */
    CMD_RANK_FULL,
    CMD_RANK_PAIR /* i and j */
};

enum { CMD_MAX_ARGS = 3, CMD_MAX_OPTIONS = 14, CMD_MAX_REALS = 16 };

struct cmd_value {
    bool is_set;
    const char *text; /* as given, quotes resolved; owned by the call's tokens */
    size_t begin, end;
    int64_t i, j;
    double r;
    enum cmd_rank_kind rank_kind;
    int n_reals;
    double reals[CMD_MAX_REALS];
    struct lr_shape shape;
};

/* A list of owned words. */
struct cmd_words {
    char **w;
    size_t n, cap;
    bool is_failed;
};
void cmd_words_add(struct cmd_words *ws, const char *s);
void cmd_words_free(struct cmd_words *ws);

struct cmd_type {
    enum cmd_type_id id;
    const char *shown;    /* placeholder in usage: "N" */
    const char *describe; /* for help: what may be given; NULL: said by the parameter */
    /* Checks v->text and fills the other members; NULL: any text. */
    enum lr_status (*parse)(struct cmd_value *v, const struct cmd_param *p,
                            struct cmd_error *e);
    /* The value as it is written into a script; NULL: quoted text. */
    void (*print)(struct lr_strbuf *b, const struct cmd_value *v,
                  const struct cmd_param *p, bool is_absolute);
    /* Adds the words that may follow prefix; NULL: none. c may lack an open network. */
    void (*complete)(struct cmd_words *out, const struct cmd_param *p,
                     const struct cmd_ctx *c, const char *prefix);
    bool is_path; /* completed as a file name as well */
};
extern const struct cmd_type cmd_types[CMD_N_TYPES];

/* A number with nothing behind it; false for anything else, infinities included. */
bool cmd_parse_real(double *r, const char *text);
bool cmd_parse_int(int64_t *i, const char *text);

/* ---- rows ---- */

enum {
    CMD_NEEDS_MODEL = 1,
    CMD_NEEDS_EVAL = 2, /* evaluation images, hence a model */
    CMD_TABLE = 4,      /* prints a table, which `> FILE` may take */
    CMD_NOT_RECORDED = 8,
    CMD_ASIDE = 16, /* recorded, but by itself no reason to begin a session's record */
    CMD_VARIES = 32 /* its tables tell of the moment or the machine: no digest is kept */
};

struct cmd_row {
    const char *name;     /* with its shortest form at the prompt marked: "sol$ve" */
    const char *alias;    /* one more name, good in scripts too; or NULL */
    const char *key;      /* default keys of the panes between blanks, or NULL */
    const char *typed;    /* what the keys type, see help keys; NULL: the name */
    const char *summary;  /* one line */
    const char *detail;   /* paragraphs for help; "\n" between lines */
    const char *examples; /* one per line; they run in order on @fashion */
    const struct cmd_param *args, *options; /* NULL: none */
    unsigned flags;
    enum lr_status (*run)(struct cmd_ctx *c, const struct cmd_call *call,
                          struct cmd_error *e);
};

struct cmd_group {
    const char *title;
    const struct cmd_row *rows;
    size_t n_rows;
};
/* One per cmds_*.c; a new group is listed here and in cmd_groups. */
extern const struct cmd_group cmd_group_model, cmd_group_data, cmd_group_plan,
    cmd_group_select, cmd_group_plot, cmd_group_solve, cmd_group_measure,
    cmd_group_journal, cmd_group_configs, cmd_group_output, cmd_group_panes,
    cmd_group_scripts, cmd_group_session, cmd_group_sweep, cmd_group_time,
    cmd_group_predict;
extern const struct cmd_group *const cmd_groups[];
extern const size_t cmd_n_groups;

/* The name without its mark. */
struct cmd_name {
    char s[24];
};
struct cmd_name cmd_name(const struct cmd_row *row);
/* By name or alias; with is_prompt also by a prefix no shorter than the mark. NULL when
 * unknown. A prefix shorter than that of several rows gives NULL and names them in e. */
const struct cmd_row *cmd_find(const char *word, bool is_prompt, struct cmd_error *e);
/* The option's index in the row, or -1; prefixes when is_prompt. */
int cmd_find_option(const struct cmd_row *row, const char *name, size_t len,
                    bool is_prompt);

/* ---- a parsed command ---- */

struct cmd_call {
    const struct cmd_row *row;
    struct cmd_tokens tokens;
    size_t n_args;
    struct cmd_value args[CMD_MAX_ARGS];
    struct cmd_value options[CMD_MAX_OPTIONS];
    struct cmd_value redirect; /* the file after `>` */
    size_t first, rest;      /* tokens: the verb, and where CMD_T_WORDS and so on begin */
    struct cmd_call *nested; /* of CMD_T_COMMAND */
};
/* Takes the tokens over (also on failure). tokens.n > 0. */
enum lr_status cmd_parse(struct cmd_call *call, struct cmd_tokens *tokens, bool is_prompt,
                         struct cmd_error *e);
void cmd_call_free(struct cmd_call *call);
/* The value of an option or argument by its name in the row; naming one that the row
 * lacks is our own bug. */
const struct cmd_value *cmd_option(const struct cmd_call *call, const char *name);
const struct cmd_value *cmd_arg(const struct cmd_call *call, const char *name);
/* The command with whole words; is_absolute: relative paths are made absolute. */
void cmd_call_print(struct lr_strbuf *b, const struct cmd_call *call, bool is_absolute);
/* text as one word of the language, quoted where it must be. */
void cmd_quote(struct lr_strbuf *b, const char *text);

/* What could stand where line ends: the words, and where in line they would begin.
 * is_path: file names too. has_more: the word may go on after this (a layer set), so no
 * blank is put behind it. */
struct cmd_completion {
    struct cmd_words words;
    size_t begin;
    bool is_path, has_more;
};
void cmd_complete(struct cmd_completion *out, const struct cmd_ctx *c, const char *line);

/* ---- help from the rows ---- */

void cmd_usage(struct lr_strbuf *b, const struct cmd_row *row);
/* What may stand for an argument or option, as help and the manual page say it. */
void cmd_param_text(struct lr_strbuf *b, const struct cmd_param *p);
/* LR_EINVAL with a hint when the topic is unknown; NULL: the overview. */
enum lr_status cmd_help(struct lr_strbuf *b, const char *topic, struct cmd_error *e);
void cmd_apropos(struct lr_strbuf *b, const char *word);
void cmd_man(struct lr_strbuf *b);
void cmd_bash_completion(struct lr_strbuf *b);
void cmd_examples(struct lr_strbuf *b);

struct cmd_topic {
    const char *name, *summary, *text;
};
extern const struct cmd_topic cmd_topics[];
extern const size_t cmd_n_topics;
/* Options of the program itself, for the man page and shell completion. */
struct cmd_flag {
    char letter; /* 0: none */
    const char *name, *value, *help;
};
extern const struct cmd_flag cmd_flags[];
extern const size_t cmd_n_flags;

#endif
