/* oneDNN 2.x calls, all of them. In 2.x an operation descriptor is filled first and a
 * primitive descriptor made from it; memory descriptors are structs that are copied. 3.x
 * makes the primitive descriptor in one call and hides memory descriptors behind
 * pointers: they would be released in lr_dn_free, where the interned ones are.
 * Scratchpads are the caller's (one for the whole net), never the library's. */
#include "dnnl_internal.h"

#include <stdio.h>
#include <string.h>

#include "ranklab/mem.h"
#include "ranklab/tensor.h"

static const char *status_text(dnnl_status_t s)
{
    switch (s) {
    case dnnl_out_of_memory:
        return "out of memory";
    case dnnl_invalid_arguments:
        return "invalid arguments";
    case dnnl_unimplemented:
        return "no kernel for it";
    case dnnl_runtime_error:
        return "runtime error";
    default:
        return "failure";
    }
}

enum lr_status lr_dn_fail(struct lr_err *e, dnnl_status_t s, const char *what)
{
    enum lr_status code = s == dnnl_unimplemented   ? LR_EUNSUP
                          : s == dnnl_out_of_memory ? LR_ENOMEM
                                                    : LR_EBACKEND;
    return lr_err_set(e, code, "oneDNN: %s: %s", what, status_text(s));
}

/* ---- context */

enum lr_status lr_dn_new(struct lr_dn **out, struct lr_err *e)
{
    *out = NULL;
    struct lr_dn *dn = lr_calloc(1, sizeof *dn);
    if (!dn)
        return lr_enomem(e, sizeof *dn, "the engine");
    dnnl_status_t s = dnnl_engine_create(&dn->engine, dnnl_cpu, 0);
    if (s == dnnl_success)
        s = dnnl_stream_create(&dn->stream, dn->engine, dnnl_stream_default_flags);
    if (s != dnnl_success) {
        lr_dn_free(dn);
        return lr_dn_fail(e, s, "engine");
    }
    *out = dn;
    return LR_OK;
}

void lr_dn_free(struct lr_dn *dn)
{
    if (!dn)
        return;
    while (dn->descs) {
        struct lr_dn_desc *next = dn->descs->next;
        lr_free(dn->descs);
        dn->descs = next;
    }
    if (dn->stream)
        dnnl_stream_destroy(dn->stream);
    if (dn->engine)
        dnnl_engine_destroy(dn->engine);
    lr_free(dn);
}

void lr_dn_version(char *buf, size_t size)
{
    const char *isa = "generic";
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        isa = "sse41";
        break;
    case dnnl_cpu_isa_avx:
        isa = "avx";
        break;
    case dnnl_cpu_isa_avx2:
        isa = "avx2";
        break;
    case dnnl_cpu_isa_avx2_vnni:
        isa = "avx2_vnni";
        break;
    case dnnl_cpu_isa_avx512_mic:
    case dnnl_cpu_isa_avx512_mic_4ops:
        isa = "avx512_mic";
        break;
    case dnnl_cpu_isa_avx512_core:
        isa = "avx512_core";
        break;
    case dnnl_cpu_isa_avx512_core_vnni:
        isa = "avx512_core_vnni";
        break;
    case dnnl_cpu_isa_avx512_core_bf16:
        isa = "avx512_core_bf16";
        break;
    case dnnl_cpu_isa_avx512_core_amx:
        isa = "avx512_core_amx";
        break;
    default:
        break;
    }
    const dnnl_version_t *v = dnnl_version();
    snprintf(buf, size, "oneDNN %d.%d.%d (%s)", v->major, v->minor, v->patch, isa);
}

/* ---- layouts */

/* A copy of md that belongs to dn; NULL: no memory. */
static const struct lr_dn_desc *intern(struct lr_dn *dn, const dnnl_memory_desc_t *md)
{
    struct lr_dn_desc *d = lr_calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->md = *md;
    d->next = dn->descs;
    dn->descs = d;
    return d;
}

void lr_dn_to_dims(dnnl_dims_t out, int n, const int64_t *in)
{
    memset(out, 0, sizeof(dnnl_dims_t));
    for (int i = 0; i < n && i < DNNL_MAX_NDIMS; i++)
        out[i] = in[i];
}

dnnl_status_t lr_dn_init_tag(dnnl_memory_desc_t *md, int n, const int64_t *dims,
                             dnnl_format_tag_t tag)
{
    dnnl_dims_t d;
    lr_dn_to_dims(d, n, dims);
    return dnnl_memory_desc_init_by_tag(md, n, d, dnnl_f32, tag);
}

const struct lr_dn_desc *lr_dn_strided(struct lr_dn *dn, int n, const int64_t *dims,
                                       const int64_t *strides)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t d, st;
    lr_dn_to_dims(d, n, dims);
    lr_dn_to_dims(st, n, strides);
    if (dnnl_memory_desc_init_by_strides(&md, n, d, dnnl_f32, st) != dnnl_success)
        return NULL;
    return intern(dn, &md);
}

const struct lr_dn_desc *lr_dn_plain(struct lr_dn *dn, int n, const int64_t *dims)
{
    int64_t strides[LR_MAX_DIMS];
    const int64_t one[1] = {1};
    if (n > LR_MAX_DIMS)
        return NULL;
    if (n == 0)
        return lr_dn_strided(dn, 1, one, one);
    for (int i = n - 1; i >= 0; i--)
        strides[i] = i == n - 1 ? 1 : strides[i + 1] * dims[i + 1];
    return lr_dn_strided(dn, n, dims, strides);
}

const struct lr_dn_desc *lr_dn_nhwc(struct lr_dn *dn, const int64_t *dims)
{
    dnnl_memory_desc_t md;
    if (lr_dn_init_tag(&md, 4, dims, dnnl_nhwc) != dnnl_success)
        return NULL;
    return intern(dn, &md);
}

bool lr_dn_equal(const struct lr_dn_desc *a, const struct lr_dn_desc *b)
{
    return a == b || dnnl_memory_desc_equal(&a->md, &b->md);
}

size_t lr_dn_bytes(const struct lr_dn_desc *d)
{
    return dnnl_memory_desc_get_size(&d->md);
}

bool lr_dn_is_plain(const struct lr_dn_desc *d)
{
    const dnnl_memory_desc_t *md = &d->md;
    if (md->format_kind != dnnl_blocked || md->format_desc.blocking.inner_nblks != 0)
        return false;
    /* the stride of a dimension of 1 says nothing about the order in memory */
    int64_t want = 1;
    for (int i = md->ndims - 1; i >= 0; i--) {
        if (md->padded_dims[i] != md->dims[i])
            return false;
        if (md->dims[i] != 1 && md->format_desc.blocking.strides[i] != want)
            return false;
        want *= md->dims[i];
    }
    return true;
}
/* ---- primitives */

void lr_dn_prim_free(struct lr_dn_prim *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_args; i++)
        dnnl_memory_destroy(p->args[i].memory);
    lr_free(p->args);
    if (p->prim)
        dnnl_primitive_destroy(p->prim);
    if (p->pd)
        dnnl_primitive_desc_destroy(p->pd);
    lr_free(p);
}

static const dnnl_memory_desc_t *query(const struct lr_dn_prim *p, dnnl_query_t what,
                                       int index)
{
    return dnnl_primitive_desc_query_md(p->pd, what, index);
}

const struct lr_dn_desc *lr_dn_prim_desc(struct lr_dn *dn, const struct lr_dn_prim *p,
                                         enum lr_dn_role role)
{
    const dnnl_memory_desc_t *md = NULL;
    if (role == LR_DN_SRC)
        md = query(p, dnnl_query_src_md, 0);
    else if (role == LR_DN_SRC_1)
        md = query(p, dnnl_query_src_md, 1);
    else if (role == LR_DN_WEIGHTS)
        md = query(p, dnnl_query_weights_md, 0);
    else if (role == LR_DN_BIAS)
        md = query(p, dnnl_query_weights_md, 1);
    else if (role == LR_DN_DST)
        md = query(p, dnnl_query_dst_md, 0);
    return md ? intern(dn, md) : NULL;
}

size_t lr_dn_prim_scratch(const struct lr_dn_prim *p)
{
    const dnnl_memory_desc_t *md = query(p, dnnl_query_scratchpad_md, 0);
    return md ? dnnl_memory_desc_get_size(md) : 0;
}

static const char *implementation(const struct lr_dn_prim *p)
{
    const char *info = NULL;
    dnnl_status_t s =
        dnnl_primitive_desc_query(p->pd, dnnl_query_impl_info_str, 0, (void *)&info);
    return s == dnnl_success && info ? info : "";
}

bool lr_dn_prim_is_reference(const struct lr_dn_prim *p)
{
    return strncmp(implementation(p), "ref", 3) == 0;
}

bool lr_dn_prim_is_gemm(const struct lr_dn_prim *p)
{
    return strstr(implementation(p), "gemm:jit") != NULL;
}

static int arg_of(int role)
{
    switch (role) {
    case LR_DN_SRC:
        return DNNL_ARG_SRC;
    case LR_DN_SRC_1:
        return DNNL_ARG_SRC_1;
    case LR_DN_WEIGHTS:
        return DNNL_ARG_WEIGHTS;
    case LR_DN_BIAS:
        return DNNL_ARG_BIAS;
    case LR_DN_DST:
        return DNNL_ARG_DST;
    case LR_DN_POST_0:
    case LR_DN_POST_1:
    case LR_DN_POST_2:
        return DNNL_ARG_ATTR_MULTIPLE_POST_OP(role - LR_DN_POST_0) | DNNL_ARG_SRC_1;
    default:
        return DNNL_ARG_MULTIPLE_SRC + (role - LR_DN_MULTI);
    }
}

static enum lr_status bind(struct lr_dn *dn, struct lr_dn_prim *p, int arg,
                           const dnnl_memory_desc_t *md, struct lr_err *e)
{
    if (p->n_args == p->cap_args) {
        int cap = p->cap_args ? 2 * p->cap_args : 6;
        dnnl_exec_arg_t *args =
            lr_realloc(p->args, (size_t)p->n_args, (size_t)cap, sizeof *args);
        if (!args)
            return lr_enomem(e, (size_t)cap * sizeof *args, "a primitive");
        p->args = args;
        p->cap_args = cap;
    }
    dnnl_memory_t m = NULL;
    dnnl_status_t s = dnnl_memory_create(&m, md, dn->engine, DNNL_MEMORY_NONE);
    if (s != dnnl_success)
        return lr_dn_fail(e, s, "memory object");
    p->args[p->n_args++] = (dnnl_exec_arg_t){arg, m};
    return LR_OK;
}

enum lr_status lr_dn_prim_bind(struct lr_dn *dn, struct lr_dn_prim *p, int role,
                               const struct lr_dn_desc *d, struct lr_err *e)
{
    return bind(dn, p, arg_of(role), &d->md, e);
}

static enum lr_status set(struct lr_dn_prim *p, int arg, void *data, struct lr_err *e)
{
    for (int i = 0; i < p->n_args; i++) {
        if (p->args[i].arg != arg)
            continue;
        dnnl_status_t s = dnnl_memory_set_data_handle(p->args[i].memory, data);
        return s == dnnl_success ? LR_OK : lr_dn_fail(e, s, "memory address");
    }
    return lr_err_set(e, LR_EBACKEND, "oneDNN: argument %d was never declared", arg);
}

enum lr_status lr_dn_prim_set(struct lr_dn_prim *p, int role, void *data,
                              struct lr_err *e)
{
    return set(p, arg_of(role), data, e);
}

enum lr_status lr_dn_prim_set_scratch(struct lr_dn *dn, struct lr_dn_prim *p, void *data,
                                      struct lr_err *e)
{
    const dnnl_memory_desc_t *md = query(p, dnnl_query_scratchpad_md, 0);
    if (!md || dnnl_memory_desc_get_size(md) == 0)
        return LR_OK;
    enum lr_status s = bind(dn, p, DNNL_ARG_SCRATCHPAD, md, e);
    return s ? s : set(p, DNNL_ARG_SCRATCHPAD, data, e);
}

enum lr_status lr_dn_prim_run(struct lr_dn *dn, const struct lr_dn_prim *p,
                              struct lr_err *e)
{
    dnnl_status_t s = dnnl_primitive_execute(p->prim, dn->stream, p->n_args, p->args);
    return s == dnnl_success ? LR_OK : lr_dn_fail(e, s, "execution");
}

enum lr_status lr_dn_wait(struct lr_dn *dn, struct lr_err *e)
{
    dnnl_status_t s = dnnl_stream_wait(dn->stream);
    return s == dnnl_success ? LR_OK : lr_dn_fail(e, s, "execution");
}

enum lr_status lr_dn_reorder_now(struct lr_dn *dn, const struct lr_dn_desc *src_desc,
                                 const void *src, const struct lr_dn_desc *dst_desc,
                                 void *dst, struct lr_err *e)
{
    struct lr_dn_prim *p = NULL;
    void *scratch = NULL;
    enum lr_status s = lr_dn_make_reorder(&p, dn, src_desc, dst_desc, e);
    if (s)
        return s;
    size_t bytes = lr_dn_prim_scratch(p);
    if (bytes && !(scratch = lr_alloc(bytes, 1)))
        s = lr_enomem(e, bytes, "a reorder");
    if (!s)
        s = lr_dn_prim_set_scratch(dn, p, scratch, e);
    if (!s)
        s = lr_dn_prim_bind(dn, p, LR_DN_SRC, src_desc, e);
    if (!s)
        s = lr_dn_prim_bind(dn, p, LR_DN_DST, dst_desc, e);
    /* the library takes a pointer to non-const for sources too, and only reads them */
    if (!s)
        s = lr_dn_prim_set(p, LR_DN_SRC, (void *)(uintptr_t)src, e);
    if (!s)
        s = lr_dn_prim_set(p, LR_DN_DST, dst, e);
    if (!s)
        s = lr_dn_prim_run(dn, p, e);
    if (!s)
        s = lr_dn_wait(dn, e);
    lr_dn_prim_free(p);
    lr_free(scratch);
    return s;
}
