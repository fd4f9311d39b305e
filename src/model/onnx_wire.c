/* Protobuf's wire format checked ahead of protobuf-c, which recurses once per nesting
 * level and allocates what it is told. The walk keeps its own stack of 64 frames and
 * looks message types up in protobuf-c's descriptors, so it follows whatever onnx.proto
 * was compiled. */
#include <stdint.h>
#include <string.h>

#include "onnx_int.h"
#include "ranklab/mem.h"

enum { MAX_DEPTH = 64, MAX_MESSAGES = LR_ONNX_MAX_PARTS, MAX_FIELDS = 64 << 20 };

struct frame {
    const ProtobufCMessageDescriptor *desc;
    size_t end;
    uint64_t seen; /* singular message fields met, by position in the descriptor */
};

struct walk {
    const unsigned char *data;
    size_t at, len;
    long n_messages, n_fields;
    int depth;
    struct frame stack[MAX_DEPTH];
};

static enum lr_status bad(const struct walk *w, struct lr_err *e, const char *what)
{
    return lr_err_set(e, LR_EPARSE, "%s at byte %zu", what, w->at);
}

static bool varint(struct walk *w, size_t end, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 10 && w->at < end; i++) {
        unsigned char b = w->data[w->at++];
        if (i == 9 && b > 1)
            return false;
        *v |= (uint64_t)(b & 0x7F) << (7 * i);
        if (!(b & 0x80))
            return true;
    }
    return false;
}

static bool is_wire_type(const ProtobufCFieldDescriptor *f, unsigned wire)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return wire == 5;
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return wire == 1;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return wire == 2;
    default:
        return wire == 0;
    }
}

static bool can_be_packed(const ProtobufCFieldDescriptor *f)
{
    return f->label == PROTOBUF_C_LABEL_REPEATED && f->type != PROTOBUF_C_TYPE_STRING &&
           f->type != PROTOBUF_C_TYPE_BYTES && f->type != PROTOBUF_C_TYPE_MESSAGE;
}

/* A packed list must hold whole elements. */
static bool is_packed_sound(struct walk *w, const ProtobufCFieldDescriptor *f, size_t end)
{
    size_t n = end - w->at;
    uint64_t v;

    if (is_wire_type(f, 5))
        return n % 4 == 0;
    if (is_wire_type(f, 1))
        return n % 8 == 0;
    while (w->at < end)
        if (!varint(w, end, &v))
            return false;
    return true;
}

static enum lr_status enter(struct walk *w, const ProtobufCFieldDescriptor *f, size_t end,
                            struct lr_err *e)
{
    struct frame *top = &w->stack[w->depth - 1];

    if (f->label != PROTOBUF_C_LABEL_REPEATED) {
        size_t index = (size_t)(f - top->desc->fields);
        uint64_t bit = (uint64_t)1 << (index & 63);
        if (top->seen & bit)
            return bad(w, e, "a part that may occur once occurs twice");
        top->seen |= bit;
    }
    if (w->depth == MAX_DEPTH)
        return bad(w, e, "nested more than 64 levels deep");
    if (++w->n_messages > MAX_MESSAGES)
        return bad(w, e, "more than 2097152 parts");
    w->stack[w->depth++] = (struct frame){f->descriptor, end, 0};
    return LR_OK;
}

static enum lr_status delimited(struct walk *w, const ProtobufCFieldDescriptor *f,
                                struct lr_err *e)
{
    size_t end = w->stack[w->depth - 1].end;
    uint64_t n;

    if (!varint(w, end, &n))
        return bad(w, e, "broken length");
    if (n > end - w->at)
        return bad(w, e, "a length beyond the end (truncated?)");
    end = w->at + (size_t)n;
    if (f && f->type == PROTOBUF_C_TYPE_MESSAGE)
        return enter(w, f, end, e);
    if (f && (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES) &&
        ++w->n_messages > MAX_MESSAGES)
        return bad(w, e, "more than 2097152 parts");
    if (f && f->type == PROTOBUF_C_TYPE_STRING && n > 0 && memchr(w->data + w->at, 0, n))
        return bad(w, e, "a zero byte inside a string");
    if (f && can_be_packed(f) && !is_packed_sound(w, f, end))
        return bad(w, e, "broken list");
    w->at = end;
    return LR_OK;
}

static enum lr_status field(struct walk *w, struct lr_err *e)
{
    const struct frame *top = &w->stack[w->depth - 1];
    uint64_t key, v;

    if (!varint(w, top->end, &key) || key > UINT32_MAX || key >> 3 == 0)
        return bad(w, e, "broken field");
    if (++w->n_fields > MAX_FIELDS)
        return bad(w, e, "more than 67108864 fields");
    unsigned wire = (unsigned)(key & 7);
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(top->desc, (unsigned)(key >> 3));
    if (f && !is_wire_type(f, wire) && !(wire == 2 && can_be_packed(f)))
        return bad(w, e, "a field of the wrong kind");
    switch (wire) {
    case 0:
        return varint(w, top->end, &v) ? LR_OK : bad(w, e, "broken number");
    case 1:
    case 5: {
        size_t n = wire == 1 ? 8 : 4;
        if (n > top->end - w->at)
            return bad(w, e, "a number beyond the end (truncated?)");
        w->at += n;
        return LR_OK;
    }
    case 2:
        return delimited(w, f, e);
    default:
        return bad(w, e, "an unknown wire type");
    }
}

static enum lr_status walk(long *n_parts, const ProtobufCMessageDescriptor *desc,
                           const unsigned char *data, size_t len, struct lr_err *e)
{
    struct walk w;
    enum lr_status st = LR_OK;

    w.data = data;
    w.at = 0;
    w.len = len;
    w.n_messages = w.n_fields = 0;
    w.depth = 1;
    w.stack[0] = (struct frame){desc, len, 0};
    while (st == LR_OK && w.depth > 0) {
        if (w.at == w.stack[w.depth - 1].end)
            w.depth--;
        else
            st = field(&w, e);
    }
    *n_parts = w.n_messages;
    return st;
}

enum lr_status lr_onnx_check_wire(const ProtobufCMessageDescriptor *desc,
                                  const unsigned char *data, size_t len, struct lr_err *e)
{
    long n_parts;

    return walk(&n_parts, desc, data, len, e);
}

enum lr_status lr_onnx_count_parts(size_t *n, const ProtobufCMessageDescriptor *desc,
                                   const unsigned char *data, size_t len,
                                   struct lr_err *e)
{
    long n_parts = 0;
    enum lr_status st = walk(&n_parts, desc, data, len, e);

    *n = (size_t)n_parts;
    return st;
}

bool lr_onnx_next_field(const unsigned char **value, size_t *value_len,
                        const unsigned char *data, size_t len, size_t *at, unsigned tag)
{
    struct walk w = {.data = data, .at = *at, .len = len};
    uint64_t key, n;

    while (w.at < len && varint(&w, len, &key)) {
        n = (key & 7) == 1 ? 8 : 4;
        if ((key & 7) == 0 || (key & 7) == 2)
            if (!varint(&w, len, &n))
                return false;
        if ((key & 7) == 0)
            continue;
        if (n > len - w.at)
            return false;
        *value = data + w.at;
        *value_len = (size_t)n;
        *at = w.at += (size_t)n;
        if (key == ((uint64_t)tag << 3 | 2))
            return true;
    }
    return false;
}

static void *proto_alloc(void *has_failed, size_t size)
{
    void *p = lr_alloc(size, 1);

    if (!p)
        *(bool *)has_failed = true;
    return p;
}

static void proto_free(void *has_failed, void *p)
{
    (void)has_failed;
    lr_free(p);
}

ProtobufCAllocator lr_onnx_allocator(bool *has_failed)
{
    *has_failed = false;
    return (ProtobufCAllocator){proto_alloc, proto_free, has_failed};
}
