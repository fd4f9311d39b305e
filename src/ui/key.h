/* Keys out of the bytes of a terminal. */
#ifndef RANKLAB_UI_KEY_H
#define RANKLAB_UI_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "ranklab/mem.h"

enum ui_key_kind {
    UI_KEY_CHAR,  /* name: the character, or C-x and so on */
    UI_KEY_NAMED, /* name: "Up", "F5", ... */
    UI_KEY_PASTE, /* the text is in the decoder */
    UI_KEY_MOUSE,
    UI_KEY_UNKNOWN /* a sequence without a name */
};
enum { UI_WHEEL_UP = 64, UI_WHEEL_DOWN = 65 };

struct ui_key {
    enum ui_key_kind kind;
    char name[16];  /* as cmd_key_parse spells it */
    char bytes[32]; /* what the terminal sent, for readline */
    size_t n;
    int button, x, y; /* mouse, from 0; a release has button -1 */
};

struct ui_decoder {
    char buf[8192];
    size_t n;
    bool is_pasting;
    struct lr_strbuf paste;
};

/* Room for more bytes. */
size_t ui_decoder_room(const struct ui_decoder *d);
void ui_decoder_feed(struct ui_decoder *d, const char *s, size_t n);
/* Takes the first complete key; false: there is none yet. is_late: no more bytes came for
 * a while, so a lone escape is the key Esc. */
bool ui_decoder_next(struct ui_key *key, struct ui_decoder *d, bool is_late);
/* Whether bytes wait that may be the beginning of a key. */
bool ui_decoder_is_waiting(const struct ui_decoder *d);
void ui_decoder_free(struct ui_decoder *d);
/* The bytes that a terminal sends for a key of this name; 0 when there is none. */
size_t ui_key_bytes(char out[32], const char *name);

#endif
