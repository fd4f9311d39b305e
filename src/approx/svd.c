/* Truncated SVD of the filters (Denton et al. 2014), the baseline that needs no images:
 * the filters W = U S V^T become U_d' U_d'^T W. In the terms of the other methods M = U
 * U^T acts on the response W x + b0, so b = b0 - U U^T b0 leaves the bias as it was.
 *
 * Only U is wanted, which the eigenvectors of W W^T are. Squaring takes from directions
 * below 1e-8 of the largest singular value their order, and with it less than 1e-15 of
 * the energy; U stays orthonormal. Layers of more than EXACT filters are decomposed so,
 * block by block: a fully connected layer's other side is wide. */
#include <stdint.h>

#include "approx/solver.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/tensor.h"

enum { EXACT = 512, BLOCK = 512 };

/* Row i of u [k x d] is the i-th left singular vector of w [d x n], by way of the SVD. */
static enum lr_status exact_vectors(double *u, const float *w, size_t d, size_t n,
                                    struct lr_err *e)
{
    size_t k = d < n ? d : n;
    double *a = lr_alloc(d * n, sizeof(double)),
           *columns = lr_alloc(d * k, sizeof(double));
    double *sv = lr_alloc(k, sizeof(double)), *vt = lr_alloc(k * n, sizeof(double));
    enum lr_status st;

    if (!a || !columns || !sv || !vt) {
        st = lr_enomem(e, 2 * d * n * sizeof(double), "the SVD of the filters");
        goto out;
    }
    for (size_t i = 0; i < d * n; i++)
        a[i] = (double)w[i];
    st = lr_la_svd(d, n, a, columns, sv, vt, e);
    for (size_t j = 0; st == LR_OK && j < k; j++)
        for (size_t i = 0; i < d; i++)
            u[j * d + i] = columns[i * k + j];
out:
    lr_free(a);
    lr_free(columns);
    lr_free(sv);
    lr_free(vt);
    return st;
}

/* The same by way of w w^T, for d <= n. */
static enum lr_status gram_vectors(double *u, const float *w, size_t d, size_t n,
                                   const struct lr_progress *progress, struct lr_err *e)
{
    double *x = lr_alloc(d * (BLOCK + 1), sizeof(double)),
           *eig = x ? x + d * BLOCK : NULL;
    enum lr_status st = LR_OK;

    if (!x)
        return lr_enomem(e, d * BLOCK * sizeof(double), "the SVD of the filters");
    for (size_t first = 0; first < n && st == LR_OK; first += BLOCK) {
        size_t width = n - first < BLOCK ? n - first : BLOCK;
        st = lr_progress_tick(progress, 0.5 * (double)first / (double)n, "solving", e);
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < width; j++)
                x[i * width + j] = (double)w[i * n + first + j];
        if (st == LR_OK)
            st = lr_la_gram_add(d, width, x, width, first == 0 ? 0 : 1, u, d, e);
    }
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < i; j++)
            u[i * d + j] = u[j * d + i];
    if (st == LR_OK)
        st = lr_progress_tick(progress, 0.5, "solving", e);
    if (st == LR_OK)
        st = lr_la_eigh(d, u, eig, e);
    lr_free(x);
    return st;
}

enum lr_status lr_solve_svd(struct lr_lowrank *out, const float *w, const float *bias,
                            int d, size_t n_inputs, int rank,
                            const struct lr_progress *progress, struct lr_err *e)
{
    size_t nd = d > 0 ? (size_t)d : 0, k = nd < n_inputs ? nd : n_inputs;
    size_t nr = rank > 0 ? (size_t)rank : 0, n_used = nr < k ? nr : k;
    double *u = NULL;
    enum lr_status st;

    *out = (struct lr_lowrank){0};
    if (!w || nd == 0 || n_inputs == 0 || n_inputs > SIZE_MAX / sizeof(double) / nd)
        return lr_err_set(e, LR_EINVAL, "no filters to decompose");
    if (rank < 1)
        return lr_err_set(e, LR_EINVAL, "rank %d is below 1", rank);
    if (rank > d)
        return lr_err_set(e, LR_EINVAL, "rank %d exceeds its %d filters", rank, d);
    if (!lr_all_finite(w, nd * n_inputs) || (bias && !lr_all_finite(bias, nd)))
        return lr_err_set(e, LR_ENUMERIC, "the filters are not finite");
    st = lr_lowrank_alloc(out, d, rank, e);
    if (st != LR_OK)
        return st;
    u = lr_alloc(k * nd, sizeof(double));
    if (!u) {
        st = lr_enomem(e, k * nd * sizeof(double), "the SVD of the filters");
        goto out;
    }
    int n_threads = lr_serial_begin(nd);
    st = nd > EXACT && nd <= n_inputs ? gram_vectors(u, w, nd, n_inputs, progress, e)
                                      : exact_vectors(u, w, nd, n_inputs, e);
    lr_la_set_threads(n_threads);
    if (st != LR_OK)
        goto out;
    /* Columns beyond the k singular vectors stay zero: they would add nothing. */
    for (size_t i = 0; i < nd; i++)
        for (size_t j = 0; j < n_used; j++)
            out->p[i * nr + j] = out->q[i * nr + j] = u[j * nd + i];
    for (size_t i = 0; bias && i < nd; i++)
        out->b[i] = (double)bias[i];
    for (size_t j = 0; bias && j < n_used; j++) {
        double h = 0;
        for (size_t i = 0; i < nd; i++)
            h += u[j * nd + i] * (double)bias[i];
        for (size_t i = 0; i < nd; i++)
            out->b[i] -= u[j * nd + i] * h;
    }
out:
    lr_free(u);
    if (st != LR_OK)
        lr_lowrank_free(out);
    return st;
}
