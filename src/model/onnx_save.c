/* Writing a network file that was changed. Up to protobuf's 2 GB all of it is one file;
 * beyond, the larger weights go to a file of their own, named by what is in it, so that a
 * network written before keeps the weights it refers to. That file comes first; until the
 * model has its name too it can be told from one that is used (onnx_left.c). The model is
 * read back from its temporary file, byte by byte, and checked before it takes its name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx_edit.h"
#include "ranklab/file.h"

enum { MIN_EXTERNAL = 1024, ALIGNMENT = 4096 };

/* Tensors that lie in a file beside the model, or shall do so. */
struct bulk {
    Onnx__TensorProto **t;
    int64_t *offset, *length;
    size_t n;
};

static void bulk_clear(struct bulk *b)
{
    lr_free(b->t);
    lr_free(b->offset);
    lr_free(b->length);
    *b = (struct bulk){0};
}

static bool is_external(const Onnx__TensorProto *t)
{
    return t->has_data_location &&
           t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static size_t count_bytes(const Onnx__TensorProto *t)
{
    enum lr_dtype dtype;
    size_t n;

    if (!lr_onnx_dtype(&dtype, t->data_type))
        return 0;
    n = lr_dtype_size(dtype);
    for (size_t i = 0; i < t->n_dims; i++)
        if (t->dims[i] < 0 || __builtin_mul_overflow(n, (size_t)t->dims[i], &n))
            return 0; /* such a file was not opened */
    return n;
}

/* ---- which tensors ---- */

static bool note_tensor(struct bulk *b, Onnx__TensorProto *t, bool is_wanted)
{
    return !is_wanted || lr_onnx_insert(&b->t, &b->n, b->n, t);
}

static bool gather_graph(struct bulk *b, Onnx__GraphProto *p, size_t min);

static bool gather_nodes(struct bulk *b, Onnx__NodeProto *const *nodes, size_t n)
{
    bool is_ok = true;

    for (size_t k = 0; is_ok && k < n; k++)
        for (size_t i = 0; is_ok && i < nodes[k]->n_attribute; i++) {
            Onnx__AttributeProto *a = nodes[k]->attribute[i];
            is_ok = !a->t || note_tensor(b, a->t, is_external(a->t));
            for (size_t j = 0; is_ok && j < a->n_tensors; j++)
                is_ok = note_tensor(b, a->tensors[j], is_external(a->tensors[j]));
            is_ok = is_ok && (!a->g || gather_graph(b, a->g, 0));
            for (size_t j = 0; is_ok && j < a->n_graphs; j++)
                is_ok = gather_graph(b, a->graphs[j], 0);
        }
    return is_ok;
}

static bool gather_graph(struct bulk *b, Onnx__GraphProto *p, size_t min)
{
    bool is_ok = true;

    for (size_t i = 0; is_ok && i < p->n_initializer; i++) {
        Onnx__TensorProto *t = p->initializer[i];
        is_ok = note_tensor(b, t, is_external(t) || (min && count_bytes(t) >= min));
    }
    return is_ok && gather_nodes(b, p->node, p->n_node);
}

/* All external tensors, those inside of nodes and functions too; with min > 0 also the
 * initializers of the network that have so many bytes. */
static bool gather(struct bulk *b, const Onnx__ModelProto *m, size_t min)
{
    bool is_ok = gather_graph(b, m->graph, min);

    for (size_t i = 0; is_ok && i < m->n_functions; i++)
        is_ok = gather_nodes(b, m->functions[i]->node, m->functions[i]->n_node);
    return is_ok;
}

/* ---- moving data in and out of the message ---- */

static void drop_data(struct lr_onnx_file *f, Onnx__TensorProto *t)
{
    for (size_t i = 0; i < t->n_external_data; i++)
        onnx__string_string_entry_proto__free_unpacked(t->external_data[i], &f->alloc);
    lr_free(t->external_data);
    t->external_data = NULL;
    t->n_external_data = 0;
    t->has_data_location = 0;
    if (t->has_raw_data)
        lr_free(t->raw_data.data);
    t->has_raw_data = 0;
    t->raw_data = (ProtobufCBinaryData){0, NULL};
    lr_free(t->float_data);
    lr_free(t->double_data);
    lr_free(t->int32_data);
    lr_free(t->int64_data);
    lr_free(t->uint64_data);
    t->float_data = NULL;
    t->double_data = NULL;
    t->int32_data = NULL;
    t->int64_data = NULL;
    t->uint64_data = NULL;
    t->n_float_data = t->n_double_data = t->n_int32_data = 0;
    t->n_int64_data = t->n_uint64_data = 0;
}

static enum lr_status load(struct lr_tensor **out, const struct lr_onnx_file *f,
                           Onnx__TensorProto *t, struct lr_err *e)
{
    const struct lr_onnx_beside beside = {f->folder, NULL};

    return lr_onnx_tensor_any(out, t, &beside, e);
}

/* External data become part of the message. */
static enum lr_status pull_in(struct lr_onnx_file *f, Onnx__TensorProto *t,
                              struct lr_err *e)
{
    struct lr_tensor *x = NULL;
    size_t n = count_bytes(t);
    enum lr_status st = load(&x, f, t, e);

    if (st != LR_OK)
        return st;
    drop_data(f, t);
    t->has_raw_data = 1;
    t->raw_data = (ProtobufCBinaryData){n, x->data};
    x->data = NULL;
    lr_tensor_free(x);
    return LR_OK;
}

static bool add_entry(Onnx__TensorProto *t, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *x = lr_alloc(1, sizeof(*x));

    if (!x)
        return false;
    onnx__string_string_entry_proto__init(x);
    x->key = lr_strdup(key);
    x->value = lr_strdup(value);
    if (x->key && x->value &&
        lr_onnx_insert(&t->external_data, &t->n_external_data, t->n_external_data, x))
        return true;
    lr_free(x->key);
    lr_free(x->value);
    lr_free(x);
    return false;
}

static enum lr_status point_out(struct lr_onnx_file *f, Onnx__TensorProto *t,
                                const char *location, int64_t offset, int64_t length,
                                struct lr_err *e)
{
    char at[32], n[32];

    snprintf(at, sizeof(at), "%lld", (long long)offset);
    snprintf(n, sizeof(n), "%lld", (long long)length);
    drop_data(f, t);
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (add_entry(t, "location", location) && add_entry(t, "offset", at) &&
        add_entry(t, "length", n))
        return LR_OK;
    return lr_enomem(e, strlen(location), "a name");
}

/* ---- the file of weights ---- */

typedef enum lr_status visit(void *arg, const void *data, size_t n, struct lr_err *e);

/* Shows the bytes of a tensor, wherever they are, to see. */
static enum lr_status with_bytes(const struct lr_onnx_file *f, Onnx__TensorProto *t,
                                 visit *see, void *arg, struct lr_err *e)
{
    struct lr_tensor *x = NULL;

    if (!is_external(t) && t->has_raw_data && t->raw_data.len > 0)
        return see(arg, t->raw_data.data, t->raw_data.len, e);
    enum lr_status st = load(&x, f, t, e);
    if (st == LR_OK)
        st = see(arg, x->data, count_bytes(t), e);
    lr_tensor_free(x);
    return st;
}

static enum lr_status add_hash(void *arg, const void *data, size_t n, struct lr_err *e)
{
    struct lr_strbuf *b = arg;
    char hex[65];

    lr_sha256(hex, data, n);
    lr_strbuf_printf(b, "%zu:%s\n", n, hex);
    return b->is_failed ? lr_enomem(e, b->len, "a hash") : LR_OK;
}

static enum lr_status append(void *arg, const void *data, size_t n, struct lr_err *e)
{
    struct lr_file *f = arg;

    errno = 0;
    if (n == 0 || fwrite(data, 1, n, f->fp) == n)
        return LR_OK;
    return lr_err_set(e, LR_EIO, "%s: cannot write: %s", f->path,
                      strerror(errno ? errno : EIO));
}

/* FOLDER/F-HASH.data for the model FOLDER/F.onnx. */
static char *data_path(const char *path, const char *hash)
{
    struct lr_strbuf b = {0};
    size_t n = strlen(path);

    if (n > 5 && strcmp(path + n - 5, ".onnx") == 0 && path[n - 6] != '/')
        n -= 5;
    lr_strbuf_add(&b, path, n);
    lr_strbuf_printf(&b, "-%.16s.data", hash);
    return lr_strbuf_take(&b);
}

static enum lr_status place(struct bulk *b, struct lr_err *e)
{
    int64_t at = 0;

    b->offset = lr_alloc(b->n, sizeof(*b->offset));
    b->length = lr_alloc(b->n, sizeof(*b->length));
    if (!b->offset || !b->length)
        return lr_enomem(e, b->n * sizeof(*b->offset), "a list of tensors");
    for (size_t i = 0; i < b->n; i++) {
        b->offset[i] = at;
        b->length[i] = (int64_t)count_bytes(b->t[i]);
        at += (b->length[i] + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return LR_OK;
}

/* The weights beside a model that is being written. */
struct made {
    char *path;
    bool is_new; /* it was not there before */
    struct stat info;
    struct lr_file file; /* with a temporary name until the model has its own */
};

static enum lr_status write_data(struct made *m, const struct lr_onnx_file *f,
                                 const struct bulk *b, struct lr_err *e)
{
    static const char zeros[ALIGNMENT];
    struct lr_file *out = &m->file;
    struct stat old;
    int64_t at = 0;
    bool is_there = stat(m->path, &old) == 0;
    enum lr_status st = lr_file_begin(out, m->path, e);

    if (st == LR_OK && fstat(fileno(out->fp), &m->info) != 0)
        st = lr_err_set(e, LR_EIO, "%s: %s", m->path, strerror(errno));
    for (size_t i = 0; i < b->n && st == LR_OK; i++) {
        st = append(out, zeros, (size_t)(b->offset[i] - at), e);
        if (st == LR_OK)
            st = with_bytes(f, b->t[i], append, out, e);
        at = b->offset[i] + b->length[i];
    }
    if (st == LR_OK)
        st = lr_file_link(out, e);
    m->is_new = st == LR_OK && !is_there;
    return st;
}

/* Nothing refers to new weights when there is no model. Others may have put theirs there
 * where folders have no locks. */
static void made_end(struct made *m, bool is_kept)
{
    struct stat now;

    if (m->is_new && !is_kept && stat(m->path, &now) == 0 &&
        now.st_ino == m->info.st_ino && now.st_dev == m->info.st_dev)
        unlink(m->path);
    lr_file_abort(&m->file);
    lr_free(m->path);
}

/* Writes the weights beside path and points the message at them. */
static enum lr_status move_out(struct lr_onnx_file *f, struct made *m, const char *path,
                               struct lr_err *e)
{
    struct bulk b = {0};
    struct lr_strbuf sums = {0};
    char hash[65];
    enum lr_status st = gather(&b, f->m, MIN_EXTERNAL)
                            ? place(&b, e)
                            : lr_enomem(e, b.n * sizeof(*b.t), "a list of tensors");

    for (size_t i = 0; i < b.n && st == LR_OK; i++)
        st = with_bytes(f, b.t[i], add_hash, &sums, e);
    if (st != LR_OK)
        goto out;
    lr_sha256(hash, sums.s ? sums.s : "", sums.len);
    m->path = data_path(path, hash);
    st = m->path ? write_data(m, f, &b, e) : lr_enomem(e, strlen(path), "a path");
    if (st != LR_OK)
        goto out;
    const char *slash = strrchr(m->path, '/');
    for (size_t i = 0; i < b.n && st == LR_OK; i++)
        st = point_out(f, b.t[i], slash ? slash + 1 : m->path, b.offset[i], b.length[i],
                       e);
out:
    lr_strbuf_free(&sums);
    bulk_clear(&b);
    return st;
}

/* Brings all weights into the message where they fit; *is_large when they do not. */
static enum lr_status gather_in(struct lr_onnx_file *f, bool *is_large, size_t max,
                                struct lr_err *e)
{
    struct bulk b = {0};
    size_t total = onnx__model_proto__get_packed_size(f->m);
    enum lr_status st = gather(&b, f->m, 0)
                            ? LR_OK
                            : lr_enomem(e, b.n * sizeof(*b.t), "a list of tensors");

    for (size_t i = 0; i < b.n; i++)
        if (__builtin_add_overflow(total, count_bytes(b.t[i]), &total))
            total = SIZE_MAX;
    *is_large = total > max;
    for (size_t i = 0; i < b.n && st == LR_OK && !*is_large; i++)
        st = pull_in(f, b.t[i], e);
    bulk_clear(&b);
    return st;
}

/* ---- the model ---- */

/* folder: where the model will lie, for its weights. */
static enum lr_status look_at(const struct lr_onnx_save *o, const void *data, size_t len,
                              const char *folder, struct lr_err *e)
{
    struct lr_graph *back = NULL;
    enum lr_status st = lr_onnx_parse(&back, data, len, folder, NULL, e);

    if (st == LR_OK && o->check)
        st = o->check(o->arg, back, e);
    lr_graph_free(back);
    return st;
}

static enum lr_status read_back(const struct lr_onnx_save *o, const struct lr_file *f,
                                const char *sha256, const char *folder, struct lr_err *e)
{
    char *data = NULL, hash[65];
    size_t len = 0;
    enum lr_status st = lr_file_read(&data, &len, f->temp, INT32_MAX, e);

    if (st != LR_OK)
        return st;
    lr_sha256(hash, data, len);
    st = strcmp(hash, sha256) == 0
             ? look_at(o, data, len, folder, e)
             : lr_err_set(e, LR_EIO, "other bytes came back than were written");
    lr_free(data);
    return st;
}

/* Writes the packed model, which is released; to a pipe or a device after the check,
 * since there nothing can be taken back. */
static enum lr_status put_model(char *bytes, size_t len, const char *path,
                                const struct lr_onnx_save *o, struct lr_err *e)
{
    struct lr_file f = {0};
    char *folder = lr_onnx_folder(path), hash[65];
    enum lr_status st =
        folder ? lr_file_begin(&f, path, e) : lr_enomem(e, strlen(path), "a path");

    lr_sha256(hash, bytes, len);
    if (st == LR_OK && !f.temp)
        st = look_at(o, bytes, len, folder, e);
    if (st == LR_OK)
        st = append(&f, bytes, len, e);
    if (st == LR_OK && fflush(f.fp) != 0)
        st = lr_err_set(e, LR_EIO, "%s: cannot write: %s", path, strerror(errno));
    lr_free(bytes);
    if (st == LR_OK && f.temp) {
        st = read_back(o, &f, hash, folder, e);
        if (st != LR_OK && st != LR_EINTR)
            lr_err_prefix(e, "%s: not written, what was read back is wrong", path);
    }
    if (st == LR_OK)
        st = lr_file_commit(&f, e);
    else
        lr_file_abort(&f);
    lr_free(folder);
    return st;
}

enum lr_status lr_onnx_save(struct lr_onnx_file *f, char **data, const char *path,
                            const struct lr_onnx_save *o, struct lr_err *e)
{
    size_t max = o->max_bytes && o->max_bytes < INT32_MAX ? o->max_bytes : INT32_MAX;
    bool is_large = false;
    struct stat info;
    struct made made = {0};
    char *bytes = NULL, *real = NULL;
    int lock = -1;
    enum lr_status st;

    *data = NULL;
    lr_graph_free(f->plain); /* as large as all weights */
    f->plain = NULL;
    st = lr_onnx_restore(&f->calls, e);
    if (st == LR_OK)
        st = gather_in(f, &is_large, max, e);
    if (st != LR_OK)
        goto out;
    if (is_large && stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        st = lr_err_set(e, LR_EUNSUP,
                        "%s: the network is larger than 2 GB and needs a file beside it "
                        "for its weights",
                        path);
        goto out;
    }
    if (is_large) {
        /* The target of a link is replaced where it lies: there go the weights. */
        real = realpath(path, NULL);
        path = real ? real : path;
        st = lr_onnx_take_turn(&lock, path, o->progress, e);
    }
    if (st == LR_OK)
        lr_onnx_remove_left(path, is_large);
    if (st == LR_OK && is_large)
        st = move_out(f, &made, path, e);
    if (st != LR_OK)
        goto out;
    size_t size = onnx__model_proto__get_packed_size(f->m);
    if (size > max) {
        st = lr_err_set(e, LR_EUNSUP,
                        "%s: %zu bytes without its weights, an ONNX file holds at most "
                        "%zu",
                        path, size, max);
        goto out;
    }
    bytes = lr_alloc(size, 1);
    if (!bytes) {
        st = lr_enomem(e, size, "writing the model");
        goto out;
    }
    onnx__model_proto__pack(f->m, (uint8_t *)bytes);
    lr_onnx_calls_clear(&f->calls);
    onnx__model_proto__free_unpacked(f->m, &f->alloc);
    f->m = NULL;
    st = put_model(bytes, size, path, o, e);
out:
    if (st == LR_OK) {
        *data = made.path;
        made.path = NULL;
    }
    made_end(&made, st == LR_OK);
    if (lock >= 0)
        close(lock);
    free(real);
    return st;
}
