/* Matrix products over CBLAS, and the number of threads. OpenBLAS is its OpenMP flavour,
 * so one setting governs it and every other OpenMP user in the process. Sizes are checked
 * here, because BLAS takes int and answers a wrong leading dimension with a line on the
 * terminal. */
#include "ranklab/la.h"

#include <cblas.h>
#include <limits.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

void lr_la_set_threads(int n)
{
    if (n < 1)
        n = 1;
    omp_set_num_threads(n);
    openblas_set_num_threads(n);
}

int lr_la_threads(void)
{
    return omp_get_max_threads();
}

const char *lr_la_version(char *buf, size_t size)
{
    static const char *const flavours[] = {"sequential", "pthread", "openmp"};
    const char *config = openblas_get_config();
    int parallel = openblas_get_parallel(), n_name = 0, n_number = 0, n_words = 0;

    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": the first two words. */
    if (sscanf(config, "%*s%n %*s%n", &n_name, &n_number) >= 0)
        n_words = n_number ? n_number : n_name;
    snprintf(buf, size, "%.*s (%s) %s", n_words, config,
             parallel >= 0 && parallel <= 2 ? flavours[parallel] : "unknown threads",
             openblas_get_corename());
    return buf;
}

/* Checks one product; the stored widths are those of a, b and c as they lie in memory. */
static enum lr_status check_gemm(bool ta, bool tb, size_t m, size_t n, size_t k,
                                 size_t lda, size_t ldb, size_t ldc, struct lr_err *e)
{
    const size_t sizes[] = {m, n, k, lda, ldb, ldc};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (sizes[i] > INT_MAX)
            return lr_err_set(e, LR_EINVAL, "matrix product: size %zu exceeds %d",
                              sizes[i], INT_MAX);
    if ((m && k && lda < (ta ? m : k)) || (k && n && ldb < (tb ? k : n)) || ldc < n)
        return lr_err_set(e, LR_EINVAL,
                          "matrix product %zu x %zu x %zu: rows are shorter than their "
                          "matrix (%zu, %zu, %zu)",
                          m, n, k, lda, ldb, ldc);
    return LR_OK;
}

enum lr_status lr_la_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, double alpha,
                          const double *a, size_t lda, const double *b, size_t ldb,
                          double beta, double *c, size_t ldc, struct lr_err *e)
{
    enum lr_status st = check_gemm(ta, tb, m, n, k, lda, ldb, ldc, e);

    if (st != LR_OK || m == 0 || n == 0)
        return st;
    if (k > 0) {
        cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                    tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a,
                    (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return LR_OK;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    return LR_OK;
}

enum lr_status lr_la_gemm_f(bool ta, bool tb, size_t m, size_t n, size_t k, float alpha,
                            const float *a, size_t lda, const float *b, size_t ldb,
                            float beta, float *c, size_t ldc, struct lr_err *e)
{
    enum lr_status st = check_gemm(ta, tb, m, n, k, lda, ldb, ldc, e);

    if (st != LR_OK || m == 0 || n == 0)
        return st;
    if (k > 0) {
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                    tb ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a,
                    (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return LR_OK;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
    return LR_OK;
}

enum lr_status lr_la_gram_add(size_t m, size_t k, const double *a, size_t lda,
                              double beta, double *c, size_t ldc, struct lr_err *e)
{
    enum lr_status st = check_gemm(false, true, m, m, k, lda, lda, ldc, e);

    if (st == LR_OK && m > 0 && k > 0)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)m, (int)k, 1, a,
                    (int)lda, beta, c, (int)ldc);
    return st;
}

/* Rows of c that one product makes, at most. */
enum { CHUNK = 64 };

enum lr_status lr_la_gemm_rows(int n_threads, bool ta, bool tb, size_t m, size_t n,
                               size_t k, double alpha, const double *a, size_t lda,
                               const double *b, size_t ldb, double beta, double *c,
                               size_t ldc, struct lr_err *e)
{
    /* An even number of equal ones, so that two threads have the same to do. */
    size_t n_chunks = 2 * ((m + 2 * CHUNK - 1) / (2 * CHUNK));
    size_t each = n_chunks ? ((m + n_chunks - 1) / n_chunks + 15) / 16 * 16 : 1;
    enum lr_status st = check_gemm(ta, tb, m, n, k, lda, ldb, ldc, e);

    if (st != LR_OK)
        return st;
#pragma omp parallel for num_threads(n_threads) schedule(dynamic) if (n_threads > 1)
    for (size_t first = 0; first < m; first += each) {
        size_t rows = m - first < each ? m - first : each;
        lr_la_gemm(ta, tb, rows, n, k, alpha, a + (ta ? first : first * lda), lda, b, ldb,
                   beta, c + first * ldc, ldc, NULL);
    }
    return LR_OK;
}

enum lr_status lr_la_gram_rows(int n_threads, size_t m, size_t k, const double *a,
                               size_t lda, double *c, size_t ldc, struct lr_err *e)
{
    long n_chunks = (long)((m + CHUNK - 1) / CHUNK);
    enum lr_status st = check_gemm(false, true, m, m, k, lda, lda, ldc, e);

    if (st != LR_OK)
        return st;
        /* The upper triangle and what the chunks hold below it. */
#pragma omp parallel for num_threads(n_threads) schedule(dynamic) if (n_threads > 1)
    for (long i = 0; i < n_chunks; i++) {
        size_t first = (size_t)i * CHUNK, rows = m - first < CHUNK ? m - first : CHUNK;
        lr_la_gemm(false, true, rows, m - first, k, 1, a + first * lda, lda,
                   a + first * lda, lda, 0, c + first * ldc + first, ldc, NULL);
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++)
            c[i * ldc + j] = c[j * ldc + i];
    return LR_OK;
}
