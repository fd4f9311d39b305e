/* The command language: every statement is read, printed with whole words and read again,
 * which must give the same; the text is also completed, as at the prompt. */
#include "fuzz.h"

#include <string.h>

#include "cmd/context.h"

static enum lr_status parse(struct cmd_call *call, size_t *next, const char *text,
                            size_t from, bool is_prompt, bool *is_empty)
{
    struct cmd_tokens tokens = {0};
    struct cmd_error e = {0};

    *is_empty = false;
    enum lr_status st = cmd_lex(&tokens, next, text, from, &e);
    if (st == LR_OK && tokens.n == 0) {
        *is_empty = true;
        cmd_tokens_free(&tokens);
        return LR_OK;
    }
    if (st != LR_OK) {
        FUZZ_CHECK(e.err.msg[0]);
        cmd_tokens_free(&tokens);
        return st;
    }
    st = cmd_parse(call, &tokens, is_prompt, &e);
    FUZZ_CHECK(st == LR_OK || e.err.msg[0]);
    if (st != LR_OK)
        cmd_call_free(call);
    return st;
}

static void check_print(const struct cmd_call *call)
{
    struct lr_strbuf first = {0}, second = {0};
    struct cmd_call again = {0};
    size_t next = 0;
    bool is_empty;

    cmd_call_print(&first, call, false);
    FUZZ_CHECK(first.s);
    FUZZ_CHECK(parse(&again, &next, first.s, 0, false, &is_empty) == LR_OK);
    FUZZ_CHECK(!is_empty);
    FUZZ_CHECK(next == first.len);
    cmd_call_print(&second, &again, false);
    FUZZ_CHECK(strcmp(first.s, second.s) == 0);
    cmd_call_free(&again);
    lr_strbuf_free(&first);
    lr_strbuf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lr_session s;
    struct cmd_ctx c;
    struct cmd_sink sink = {0};
    struct cmd_completion completion = {0};
    char *text = malloc(size + 1);

    FUZZ_CHECK(text);
    memcpy(text, data, size);
    text[size] = '\0';
    size = strlen(text);
    for (size_t at = 0, next; at < size; at = next) {
        struct cmd_call call = {0};
        bool is_empty;
        if (parse(&call, &next, text, at, size % 2, &is_empty) == LR_OK && !is_empty) {
            check_print(&call);
            cmd_call_free(&call);
        }
        FUZZ_CHECK(next > at && next <= size);
    }
    lr_session_init(&s);
    cmd_init(&c, &s, &sink);
    cmd_complete(&completion, &c, text);
    cmd_words_free(&completion.words);
    cmd_free(&c);
    lr_session_free(&s);
    free(text);
    return 0;
}
