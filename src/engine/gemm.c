/* Single precision matrix products for loops that live on them. Where the processor has
 * AVX-512, oneDNN generates kernels for it, while a release of OpenBLAS knows only the
 * processors of its time and takes AVX2 kernels for later ones: half the speed. Elsewhere
 * OpenBLAS is as fast or faster. dnnl_sgemm is the same in oneDNN 2 and 3. */
#include <dnnl.h>
#include <limits.h>

#include "ranklab/engine.h"
#include "ranklab/la.h"

static bool has_wide_vectors(void)
{
    unsigned wide = dnnl_cpu_isa_avx512_core;

    return ((unsigned)dnnl_get_effective_cpu_isa() & wide) == wide;
}

enum lr_status lr_engine_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha,
                              const float *a, size_t lda, const float *b, size_t ldb,
                              float beta, float *c, size_t ldc, struct lr_err *e)
{
    const size_t sizes[] = {m, n, k, lda, ldb, ldc};
    bool is_plain = m == 0 || n == 0 || k == 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        is_plain |= sizes[i] > INT_MAX;
    if (is_plain || !has_wide_vectors())
        return lr_la_gemm_f(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, e);
    dnnl_status_t st = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', (dnnl_dim_t)m,
                                  (dnnl_dim_t)n, (dnnl_dim_t)k, alpha, a, (dnnl_dim_t)lda,
                                  b, (dnnl_dim_t)ldb, beta, c, (dnnl_dim_t)ldc);
    if (st == dnnl_success)
        return LR_OK;
    if (st == dnnl_out_of_memory)
        return lr_err_set(e, LR_ENOMEM, "out of memory (matrix product %zu x %zu x %zu)",
                          m, n, k);
    return lr_err_set(e, st == dnnl_invalid_arguments ? LR_EINVAL : LR_EBACKEND,
                      "oneDNN: matrix product %zu x %zu x %zu: status %d", m, n, k,
                      (int)st);
}
