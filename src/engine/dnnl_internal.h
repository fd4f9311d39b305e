/* Shared by the files that call oneDNN: what stands behind the names of dnnl_compat.h. */
#ifndef RANKLAB_ENGINE_DNNL_INTERNAL_H
#define RANKLAB_ENGINE_DNNL_INTERNAL_H

#include <dnnl.h>

#include "dnnl_compat.h"

#if DNNL_VERSION_MAJOR != 2
#error "this file speaks the oneDNN 2.x interface"
#endif

struct lr_dn_desc {
    dnnl_memory_desc_t md;
    struct lr_dn_desc *next;
};

struct lr_dn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct lr_dn_desc *descs;
};

struct lr_dn_prim {
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t prim;
    int n_args, cap_args;
    dnnl_exec_arg_t *args;
};

/* oneDNN's word as an error. */
enum lr_status lr_dn_fail(struct lr_err *e, dnnl_status_t s, const char *what);
/* The interface takes arrays of its own fixed length, of which it reads n. */
void lr_dn_to_dims(dnnl_dims_t out, int n, const int64_t *in);
dnnl_status_t lr_dn_init_tag(dnnl_memory_desc_t *md, int n, const int64_t *dims,
                             dnnl_format_tag_t tag);

#endif
