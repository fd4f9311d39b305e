/* Truncated SVD of the filters (Denton et al. 2014), the baseline that needs no images:
 * the filters W = U S V^T become U_d' U_d'^T W. In the terms of the other methods M = U
 * U^T acts on the response W x + b0, so b = b0 - U U^T b0 leaves the bias as it was. */
#include <stdint.h>

#include "approx/solver.h"
#include "ranklab/la.h"
#include "ranklab/mem.h"
#include "ranklab/tensor.h"

enum lr_status lr_solve_svd(struct lr_lowrank *out, const float *w, const float *bias,
                            int d, size_t n_inputs, int rank, struct lr_err *e)
{
    size_t nd = d > 0 ? (size_t)d : 0, k = nd < n_inputs ? nd : n_inputs;
    size_t nr = rank > 0 ? (size_t)rank : 0, n_used = nr < k ? nr : k;
    double *a = NULL, *u = NULL, *sv = NULL, *vt = NULL;
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
    a = lr_alloc(nd * n_inputs, sizeof(double));
    u = lr_alloc(nd * k, sizeof(double));
    sv = lr_alloc(k, sizeof(double));
    vt = lr_alloc(k * n_inputs, sizeof(double));
    if (!a || !u || !sv || !vt) {
        st = lr_enomem(e, 2 * nd * n_inputs * sizeof(double), "the SVD of the filters");
        goto out;
    }
    for (size_t i = 0; i < nd * n_inputs; i++)
        a[i] = (double)w[i];
    int n_threads = lr_serial_begin(nd);
    st = lr_la_svd(nd, n_inputs, a, u, sv, vt, e);
    lr_la_set_threads(n_threads);
    if (st != LR_OK)
        goto out;
    /* Columns beyond the k singular vectors stay zero: they would add nothing. */
    for (size_t i = 0; i < nd; i++)
        for (size_t j = 0; j < n_used; j++)
            out->p[i * nr + j] = out->q[i * nr + j] = u[i * k + j];
    for (size_t i = 0; bias && i < nd; i++)
        out->b[i] = (double)bias[i];
    for (size_t j = 0; bias && j < n_used; j++) {
        double h = 0;
        for (size_t i = 0; i < nd; i++)
            h += u[i * k + j] * (double)bias[i];
        for (size_t i = 0; i < nd; i++)
            out->b[i] -= u[i * k + j] * h;
    }
out:
    lr_free(a);
    lr_free(u);
    lr_free(sv);
    lr_free(vt);
    if (st != LR_OK)
        lr_lowrank_free(out);
    return st;
}
