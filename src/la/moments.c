/* Streamed means and cross products. Rows are gathered until BLOCK of them stand
 * together, shifted by the mean of the very first block, and added with one matrix
 * product per block: a symmetric one as long as both sides are the same rows. Since
 * blocks do not depend on how rows arrive, neither does any rounding. Rows still waiting
 * at the end are added to the copy that lr_moments_finish hands out. The shift need not
 * be the mean to be useful: it only has to lie about as close to it as the rows do. */
#include "ranklab/la.h"

#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "ranklab/mem.h"

enum { BLOCK = 512 };

void lr_moments_free(struct lr_moments *m)
{
    if (!m)
        return;
    lr_free(m->shift_a);
    lr_free(m->shift_b);
    lr_free(m->sum_a);
    lr_free(m->sum_b);
    lr_free(m->cross);
    lr_free(m->work);
    lr_free(m->waiting_a);
    lr_free(m->waiting_b);
    *m = (struct lr_moments){0};
}

enum lr_status lr_moments_init(struct lr_moments *m, size_t da, size_t db,
                               struct lr_err *e)
{
    size_t n_cross;

    *m = (struct lr_moments){0};
    if (da > INT_MAX / 2 || db > INT_MAX / 2 || __builtin_mul_overflow(da, db, &n_cross))
        return lr_err_set(e, LR_EINVAL, "moments: %zu x %zu values exceed %d", da, db,
                          INT_MAX / 2);
    m->da = da;
    m->db = db;
    m->is_gram = da == db;
    m->cross = lr_calloc(n_cross, sizeof(double));
    if (!m->cross)
        goto fail;
    m->shift_a = lr_calloc(da, sizeof(double));
    m->shift_b = lr_calloc(db, sizeof(double));
    m->sum_a = lr_calloc(da, sizeof(double));
    m->sum_b = lr_calloc(db, sizeof(double));
    m->work = lr_alloc((BLOCK + 2) * (da + db), sizeof(double));
    m->waiting_a = lr_alloc(BLOCK * da, sizeof(float));
    m->waiting_b = lr_alloc(BLOCK * db, sizeof(float));
    if (m->shift_a && m->shift_b && m->sum_a && m->sum_b && m->work && m->waiting_a &&
        m->waiting_b)
        return LR_OK;
fail:
    lr_moments_free(m);
    return lr_enomem(e, n_cross * sizeof(double), "accumulated moments");
}

/* The parts of the work space: shifted rows of a and b, and, for rows that
 * lr_moments_finish adds, their shift and sum. */
struct parts {
    double *a, *b;
    double *shift_a, *shift_b, *sum_a, *sum_b;
};

static struct parts split(const struct lr_moments *m)
{
    struct parts p;

    p.a = m->work;
    p.b = p.a + BLOCK * m->da;
    p.shift_a = p.b + BLOCK * m->db;
    p.shift_b = p.shift_a + m->da;
    p.sum_a = p.shift_b + m->db;
    p.sum_b = p.sum_a + m->da;
    return p;
}

static void mean_of_rows(double *mean, const float *x, size_t rows, size_t d, size_t ld)
{
    memset(mean, 0, d * sizeof(*mean));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < d; j++)
            mean[j] += x[i * ld + j];
    for (size_t j = 0; j < d; j++)
        mean[j] /= (double)rows;
}

/* out = x - shift in double, and its column sums added to sum. */
static void shift_rows(double *out, double *sum, const float *x, const double *shift,
                       size_t rows, size_t d, size_t ld)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < d; j++) {
            double y = x[i * ld + j] - shift[j];
            out[i * d + j] = y;
            sum[j] += y;
        }
}

/* cross += a^T b over the shifted rows; the upper triangle only when b is a. */
static void add_product(const struct lr_moments *m, double *cross, const double *a,
                        const double *b, size_t rows)
{
    int da = (int)m->da, db = (int)m->db, n = (int)rows;

    if (da == 0 || db == 0 || n == 0)
        return;
    if (a == b)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, da, n, 1, a, da, 1, cross, da);
    else
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, da, db, n, 1, a, da, b, db,
                    1, cross, db);
}

static void mirror(double *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            c[i * n + j] = c[j * n + i];
}

/* Adds one block (at most BLOCK rows) for good. */
static void add_block(struct lr_moments *m, size_t rows, const float *a, size_t lda,
                      const float *b, size_t ldb)
{
    struct parts p = split(m);

    if (rows == 0)
        return;
    if (!m->is_shifted) {
        mean_of_rows(m->shift_a, a, rows, m->da, lda);
        if (!m->is_gram)
            mean_of_rows(m->shift_b, b, rows, m->db, ldb);
        m->is_shifted = true;
    }
    shift_rows(p.a, m->sum_a, a, m->shift_a, rows, m->da, lda);
    if (!m->is_gram)
        shift_rows(p.b, m->sum_b, b, m->shift_b, rows, m->db, ldb);
    add_product(m, m->cross, p.a, m->is_gram ? p.a : p.b, rows);
}

static void add_waiting(struct lr_moments *m)
{
    add_block(m, m->n_waiting, m->waiting_a, m->da, m->waiting_b, m->db);
    m->n_waiting = 0;
}

/* The rows so far were the same on both sides and those to come are not. */
static void end_gram(struct lr_moments *m)
{
    add_waiting(m);
    memcpy(m->shift_b, m->shift_a, m->da * sizeof(double));
    memcpy(m->sum_b, m->sum_a, m->da * sizeof(double));
    mirror(m->cross, m->da);
    m->is_gram = false;
}

static void wait_rows(float *waiting, size_t n_waiting, size_t rows, const float *x,
                      size_t d, size_t ld)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(waiting + (n_waiting + i) * d, x + i * ld, d * sizeof(float));
}

enum lr_status lr_moments_add(struct lr_moments *m, size_t rows, const float *a,
                              size_t lda, const float *b, size_t ldb, struct lr_err *e)
{
    if (rows == 0)
        return LR_OK;
    if (lda < m->da || ldb < m->db)
        return lr_err_set(
            e, LR_EINVAL,
            "moments: rows of %zu and %zu values are shorter than %zu and %zu", lda, ldb,
            m->da, m->db);
    if (m->is_gram && (a != b || lda != ldb))
        end_gram(m);
    m->n += rows;
    while (rows > 0) {
        size_t n = BLOCK - m->n_waiting;
        if (n > rows)
            n = rows;
        if (n == BLOCK) {
            add_block(m, n, a, lda, b, ldb);
        } else {
            wait_rows(m->waiting_a, m->n_waiting, n, a, m->da, lda);
            if (!m->is_gram)
                wait_rows(m->waiting_b, m->n_waiting, n, b, m->db, ldb);
            m->n_waiting += n;
            if (m->n_waiting == BLOCK)
                add_waiting(m);
        }
        rows -= n;
        a += n * lda;
        b += n * ldb;
    }
    return LR_OK;
}

void lr_moments_shift(struct lr_moments *m, size_t rows, const float *a, size_t lda,
                      const float *b, size_t ldb)
{
    if (rows == 0)
        return;
    m->is_gram = m->is_gram && a == b && lda == ldb;
    mean_of_rows(m->shift_a, a, rows, m->da, lda);
    if (!m->is_gram)
        mean_of_rows(m->shift_b, b, rows, m->db, ldb);
    m->is_shifted = true;
}

static void add_values(double *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

enum lr_status lr_moments_merge(struct lr_moments *m, struct lr_moments *other,
                                struct lr_err *e)
{
    if (m->da != other->da || m->db != other->db || m->is_gram != other->is_gram ||
        !m->is_shifted || !other->is_shifted ||
        memcmp(m->shift_a, other->shift_a, m->da * sizeof(double)) != 0 ||
        (!m->is_gram && memcmp(m->shift_b, other->shift_b, m->db * sizeof(double)) != 0))
        return lr_err_set(e, LR_EINVAL,
                          "moments: those of other rows or another shift are not merged");
    add_waiting(m);
    add_waiting(other);
    add_values(m->sum_a, other->sum_a, m->da);
    if (!m->is_gram)
        add_values(m->sum_b, other->sum_b, m->db);
    add_values(m->cross, other->cross, m->da * m->db);
    m->n += other->n;
    return LR_OK;
}

static void finish_mean(double *mean, const double *shift, const double *sum, size_t d,
                        size_t n)
{
    for (size_t j = 0; mean && j < d; j++)
        mean[j] = n ? shift[j] + sum[j] / (double)n : 0;
}

void lr_moments_finish(const struct lr_moments *m, double *mean_a, double *mean_b,
                       double *c)
{
    struct parts p = split(m);
    const double *shift_a = m->shift_a, *shift_b = m->is_gram ? m->shift_a : m->shift_b;
    bool is_gram = m->is_gram;

    if (!m->is_shifted && m->n_waiting) {
        mean_of_rows(p.shift_a, m->waiting_a, m->n_waiting, m->da, m->da);
        if (!is_gram)
            mean_of_rows(p.shift_b, m->waiting_b, m->n_waiting, m->db, m->db);
        shift_a = p.shift_a;
        shift_b = is_gram ? p.shift_a : p.shift_b;
    }
    memcpy(p.sum_a, m->sum_a, m->da * sizeof(double));
    shift_rows(p.a, p.sum_a, m->waiting_a, shift_a, m->n_waiting, m->da, m->da);
    if (!is_gram) {
        memcpy(p.sum_b, m->sum_b, m->db * sizeof(double));
        shift_rows(p.b, p.sum_b, m->waiting_b, shift_b, m->n_waiting, m->db, m->db);
    }
    const double *sum_b = is_gram ? p.sum_a : p.sum_b;
    finish_mean(mean_a, shift_a, p.sum_a, m->da, m->n);
    finish_mean(mean_b, shift_b, sum_b, m->db, m->n);
    if (!c)
        return;
    memcpy(c, m->cross, m->da * m->db * sizeof(double));
    add_product(m, c, p.a, is_gram ? p.a : p.b, m->n_waiting);
    for (size_t i = 0; i < m->da; i++)
        for (size_t j = is_gram ? i : 0; j < m->db; j++)
            c[i * m->db + j] -= m->n ? p.sum_a[i] * sum_b[j] / (double)m->n : 0;
    if (is_gram)
        mirror(c, m->da);
}
