/* The linear solution: identities of reduced-rank regression and PCA, degenerate data,
 * and the decomposition of filters. */
#include "approx_fixture.h"

/* z = target - shortcut and yhat, centred, as [d x n] row-major matrices in double, and
 * their means. */
struct centred {
    size_t d, n;
    double *z, *y, *zbar, *ybar;
};

static void centre(double *out, double *mean, const float *a, const float *b, size_t n,
                   size_t d)
{
    for (size_t j = 0; j < d; j++) {
        mean[j] = 0;
        for (size_t i = 0; i < n; i++) {
            out[j * n + i] = (double)a[i * d + j] - (b ? (double)b[i * d + j] : 0);
            mean[j] += out[j * n + i] / (double)n;
        }
        for (size_t i = 0; i < n; i++)
            out[j * n + i] -= mean[j];
    }
}

static struct centred centred_of(const struct lr_samples *s)
{
    struct centred c = {.d = (size_t)s->d, .n = s->n_fit};

    c.z = malloc(c.d * c.n * sizeof(double));
    c.y = malloc(c.d * c.n * sizeof(double));
    c.zbar = malloc(c.d * sizeof(double));
    c.ybar = malloc(c.d * sizeof(double));
    centre(c.z, c.zbar, s->target, s->shortcut, c.n, c.d);
    centre(c.y, c.ybar, s->yhat, NULL, c.n, c.d);
    return c;
}

static void centred_free(struct centred *c)
{
    free(c->z);
    free(c->y);
    free(c->zbar);
    free(c->ybar);
}

static double *multiply(bool ta, bool tb, size_t m, size_t n, size_t k, const double *a,
                        const double *b)
{
    double *c = malloc(m * n * sizeof(double));

    assert_int_equal(
        lr_la_gemm(ta, tb, m, n, k, 1, a, ta ? m : k, b, tb ? k : n, 0, c, n, NULL),
        LR_OK);
    return c;
}

/* |Z - M Y|^2 */
static double regression_loss(const struct centred *c, const double *m)
{
    double *my = multiply(false, false, c->d, c->n, c->d, m, c->y), sum = 0;

    for (size_t i = 0; i < c->d * c->n; i++)
        sum += (c->z[i] - my[i]) * (c->z[i] - my[i]);
    free(my);
    return sum;
}

/* Mhat = Z Y^T G^+ from the symmetric roots of G; *g_root = G^1/2, *g_iroot. */
static double *regression_matrix(const struct centred *c, double **g_root,
                                 double **g_iroot)
{
    size_t d = c->d;
    double *g = multiply(false, true, d, d, c->n, c->y, c->y);
    double *zy = multiply(false, true, d, d, c->n, c->z, c->y);

    *g_root = malloc(d * d * sizeof(double));
    *g_iroot = malloc(d * d * sizeof(double));
    assert_int_equal(lr_la_psd_roots(d, g, 1e-12, *g_root, *g_iroot, NULL, NULL), LR_OK);
    double *half = multiply(false, false, d, d, d, zy, *g_iroot);
    double *mhat = multiply(false, false, d, d, d, half, *g_iroot);
    free(g);
    free(zy);
    free(half);
    return mhat;
}

/* First rank terms of the SVD of a [d x d], right vectors multiplied by right. */
static double *truncated(const double *a, const double *right, size_t d, size_t rank)
{
    double *copy = malloc(d * d * sizeof(double)), *u = malloc(d * d * sizeof(double));
    double *sv = malloc(d * sizeof(double)), *vt = malloc(d * d * sizeof(double));

    memcpy(copy, a, d * d * sizeof(double));
    assert_int_equal(lr_la_svd(d, d, copy, u, sv, vt, NULL), LR_OK);
    double *v = right ? multiply(false, false, d, d, d, vt, right) : NULL;
    const double *rows = v ? v : vt;
    double *out = calloc(d * d, sizeof(double));
    for (size_t a_ = 0; a_ < rank; a_++)
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++)
                out[i * d + j] += u[i * d + a_] * sv[a_] * rows[a_ * d + j];
    free(copy);
    free(u);
    free(sv);
    free(vt);
    free(v);
    return out;
}

/* The three closed forms, the library's, and the truncation that is no solution. */
static void check_closed_forms(struct fixture *f, int rank)
{
    struct centred c = centred_of(&f->s);
    size_t d = c.d;
    struct lr_lowrank m;
    struct lr_err e = {0};
    double *root, *iroot, *mhat = regression_matrix(&c, &root, &iroot);

    assert_int_equal(lr_solve_linear(&m, &f->s, rank, NULL, &e), LR_OK);
    double *mine = product_of(&m);

    /* generalised SVD: Mhat = U S V^T with V^T G V = I, V^T = V'^T G^(-1/2) */
    double *white = multiply(false, false, d, d, d, mhat, root);
    double *generalised = truncated(white, iroot, d, (size_t)rank);

    /* top eigenvectors of Z Y^T G^+ Y Z^T = (Mhat G^1/2)(Mhat G^1/2)^T */
    double *eigen = multiply(false, true, d, d, d, white, white);
    double *w = malloc(d * sizeof(double));
    assert_int_equal(lr_la_eigh(d, eigen, w, NULL), LR_OK);
    double *um = multiply(false, false, (size_t)rank, d, d, eigen, mhat);
    double *projected = multiply(true, false, d, d, (size_t)rank, eigen, um);

    double *plain = truncated(mhat, NULL, d, (size_t)rank);
    double *my = multiply(false, false, d, c.n, d, mine, c.y);
    double *gy = multiply(false, false, d, c.n, d, generalised, c.y);
    double *py = multiply(false, false, d, c.n, d, projected, c.y);
    assert_true(largest_difference(my, gy, d * c.n) < 1e-5);
    assert_true(largest_difference(my, py, d * c.n) < 1e-5);
    double best = regression_loss(&c, mine);
    assert_true(best <= regression_loss(&c, generalised) * (1 + 1e-9) + 1e-9);
    assert_true(best <= regression_loss(&c, projected) * (1 + 1e-9) + 1e-9);
    assert_true(regression_loss(&c, plain) > 1.02 * best);

    /* The optimal loss is |Z|^2 - the sum of the largest w. */
    double all = 0;
    for (size_t i = 0; i < d * c.n; i++)
        all += c.z[i] * c.z[i];
    for (int i = 0; i < rank; i++)
        all -= w[i];
    assert_true(fabs(all - best) < 1e-6 * (best + 1));

    /* b = zbar - M ybar */
    for (size_t i = 0; i < d; i++) {
        double b = c.zbar[i];
        for (size_t j = 0; j < d; j++)
            b -= mine[i * d + j] * c.ybar[j];
        assert_true(fabs(b - m.b[i]) < 1e-6);
    }
    free(root), free(iroot), free(mhat), free(mine), free(white), free(generalised);
    free(eigen), free(w), free(um), free(projected), free(plain), free(my), free(gy),
        free(py);
    lr_lowrank_free(&m);
    centred_free(&c);
}

static void linear__closed_forms_agree_on_full_rank_data(void **state)
{
    (void)state;
    struct fixture f = fixture_make(20, 20, 700, 0.3, false, 1);
    check_closed_forms(&f, 1);
    check_closed_forms(&f, 6);
    check_closed_forms(&f, 13);
    fixture_free(&f);
}

static void linear__closed_forms_agree_on_deficient_data(void **state)
{
    (void)state;
    struct fixture f = fixture_make(24, 24, 500, 0.25, true, 2);
    for (size_t i = 0; i < 500; i++) {
        f.yhat[i * 24 + 3] = 0;                  /* dead */
        f.yhat[i * 24 + 7] = f.yhat[i * 24 + 8]; /* equal */
        f.yhat[i * 24 + 9] = 2 * f.yhat[i * 24 + 10] + 1;
    }
    check_closed_forms(&f, 4);
    check_closed_forms(&f, 11);
    fixture_free(&f);
}

/* target and yhat equal in value but not in address go through the regression. */
static void check_regression_is_pca(int d, int data_rank, size_t n, int rank)
{
    struct fixture f = fixture_make(d, data_rank, n, 0, false, 4);
    struct lr_lowrank pca, rrr;

    assert_int_equal(lr_solve_linear(&rrr, &f.s, rank, NULL, NULL), LR_OK);
    f.s.target = f.s.yhat;
    assert_int_equal(lr_solve_linear(&pca, &f.s, rank, NULL, NULL), LR_OK);
    double *a = product_of(&pca), *b = product_of(&rrr);
    assert_true(largest_difference(a, b, (size_t)d * (size_t)d) < 1e-6);
    assert_true(largest_difference(pca.b, rrr.b, (size_t)d) < 1e-5);
    assert_int_equal(pca.n_data_rank, rrr.n_data_rank);
    free(a);
    free(b);
    lr_lowrank_free(&pca);
    lr_lowrank_free(&rrr);
    fixture_free(&f);
}

static void linear__regression_on_itself_is_pca(void **state)
{
    (void)state;
    check_regression_is_pca(16, 16, 400, 1);
    check_regression_is_pca(16, 16, 400, 9);
    check_regression_is_pca(16, 16, 400, 16);
    check_regression_is_pca(24, 24, 10, 5);
    check_regression_is_pca(24, 24, 10, 24);
    check_regression_is_pca(64, 64, 20, 7);
}

static void linear__pca_keeps_the_largest_variances(void **state)
{
    (void)state;
    struct fixture f = fixture_make(12, 12, 900, 0, false, 5);
    struct centred c = centred_of(&f.s);
    double *g = multiply(false, true, 12, 12, c.n, c.y, c.y), w[12];
    assert_int_equal(lr_la_eigh(12, g, w, NULL), LR_OK);
    f.s.target = f.s.yhat;
    for (int rank = 1; rank <= 12; rank += 4) {
        struct lr_lowrank m;
        assert_int_equal(lr_solve_linear(&m, &f.s, rank, NULL, NULL), LR_OK);
        double *matrix = product_of(&m), *yr = predict(&f.s, matrix, m.b), left = 0;
        for (int i = rank; i < 12; i++)
            left += w[i];
        assert_true(fabs(loss_of(&f.s, yr, 0, f.s.n_fit) - left) < 1e-6 * w[0]);
        free(matrix);
        free(yr);
        lr_lowrank_free(&m);
    }
    free(g);
    centred_free(&c);
    fixture_free(&f);
}

static void linear__full_rank_reproduces_the_responses(void **state)
{
    (void)state;
    const struct {
        int d, data_rank;
        size_t n;
        bool has_shortcut;
    } cases[] = {{16, 16, 300, false},
                 {16, 16, 300, true},
                 {30, 12, 300, false},
                 {30, 30, 20, false},
                 {1, 1, 50, false}};
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct fixture f = fixture_make(cases[k].d, cases[k].data_rank, cases[k].n, 0,
                                        cases[k].has_shortcut, 6 + k);
        struct lr_lowrank m;
        double after, before;
        fixture_split(&f, 0, 5);
        assert_int_equal(lr_solve_linear(&m, &f.s, cases[k].d, NULL, NULL), LR_OK);
        assert_int_equal(
            lr_response_error(&after, &before, &f.s, &m, 0, cases[k].n, NULL), LR_OK);
        assert_true(sqrt(after) < 1e-6 && sqrt(before) < 1e-6);
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

/* target = A yhat + c exactly: the asymmetric solution at full rank undoes the damage. */
static void linear__full_rank_undoes_an_invertible_map(void **state)
{
    (void)state;
    struct fixture f = fixture_make(10, 10, 200, 0, false, 20);
    struct lr_lowrank m;
    double before;
    for (size_t i = 0; i < 200 * 10; i++)
        f.yhat[i] =
            0.5f * f.target[i] + 0.125f * f.target[i / 10 * 10 + (i + 3) % 10] + 2;
    assert_int_equal(lr_solve_linear(&m, &f.s, 10, NULL, NULL), LR_OK);
    assert_int_equal(lr_response_error(NULL, &before, &f.s, &m, 0, 200, NULL), LR_OK);
    assert_true(sqrt(before) < 1e-6);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

static void linear__shortcut_is_subtracted_from_the_target(void **state)
{
    (void)state;
    struct fixture f = fixture_make(14, 14, 400, 0.2, true, 21);
    float *z = malloc(400 * 14 * sizeof(float));
    struct lr_lowrank with, without;
    for (size_t i = 0; i < 400 * 14; i++)
        z[i] = f.target[i] - f.shortcut[i];
    assert_int_equal(lr_solve_linear(&with, &f.s, 5, NULL, NULL), LR_OK);
    f.s.target = z;
    f.s.shortcut = NULL;
    assert_int_equal(lr_solve_linear(&without, &f.s, 5, NULL, NULL), LR_OK);
    assert_true(largest_difference(with.p, without.p, 14 * 5) < 1e-12);
    assert_true(largest_difference(with.q, without.q, 14 * 5) < 1e-12);
    assert_true(largest_difference(with.b, without.b, 14) < 1e-12);
    lr_lowrank_free(&with);
    lr_lowrank_free(&without);
    free(z);
    fixture_free(&f);
}

/* One buffer for target and yhat is PCA only without a shortcut. */
static void linear__shared_buffer_with_shortcut_is_a_regression(void **state)
{
    (void)state;
    struct fixture f = fixture_make(9, 9, 300, 0, true, 24);
    struct lr_lowrank shared, apart;
    memcpy(f.target, f.yhat, 300 * 9 * sizeof(float));
    assert_int_equal(lr_solve_linear(&apart, &f.s, 4, NULL, NULL), LR_OK);
    f.s.target = f.s.yhat;
    assert_int_equal(lr_solve_linear(&shared, &f.s, 4, NULL, NULL), LR_OK);
    assert_true(largest_difference(shared.q, apart.q, 36) == 0);
    assert_true(largest_difference(shared.b, apart.b, 9) == 0);
    lr_lowrank_free(&shared);
    lr_lowrank_free(&apart);
    fixture_free(&f);
}

/* A channel 10^-4 as strong as the others still counts, one of 10^-8 does not. */
static void linear__keeps_weak_channels_above_the_cut(void **state)
{
    (void)state;
    const float scales[] = {1e-4f, 1e-8f};
    for (int k = 0; k < 2; k++) {
        struct fixture f = fixture_make(6, 6, 200, 0, false, 25);
        struct lr_lowrank m;
        double before;
        for (size_t i = 0; i < 200; i++)
            f.yhat[i * 6 + 2] = scales[k] * f.target[i * 6 + 2];
        assert_int_equal(lr_solve_linear(&m, &f.s, 6, NULL, NULL), LR_OK);
        assert_int_equal(m.n_data_rank, 6 - k);
        lr_response_error(NULL, &before, &f.s, &m, 0, 200, NULL);
        assert_true(k == 0 ? sqrt(before) < 1e-4 : before > 1e-3);
        lr_lowrank_free(&m);
        fixture_free(&f);
    }
}

static void count_note(void *ctx, enum lr_note_level level, const char *text)
{
    int *n = ctx;

    assert_int_equal(level, LR_NOTE_WARNING);
    assert_true(strlen(text) > 10);
    (*n)++;
}

static void linear__dead_layer_gives_its_constant(void **state)
{
    (void)state;
    int n_notes = 0;
    struct lr_notes notes = {count_note, &n_notes};
    struct lr_solve_opts o;
    lr_solve_opts_default(&o);
    o.notes = &notes;
    float y[50 * 6];
    for (size_t i = 0; i < 50 * 6; i++)
        y[i] = 0.1f * (float)(i % 6) - 0.3f;
    float *copy = malloc(sizeof(y));
    memcpy(copy, y, sizeof(y));
    struct lr_samples s = {
        .d = 6, .n_fit = 50, .act = lr_act_none, .target = y, .yhat = y};
    for (int k = 0; k < 2; k++) {
        struct lr_lowrank m;
        double before;
        assert_int_equal(lr_solve_linear(&m, &s, 2, &o, NULL), LR_OK);
        assert_int_equal(m.n_data_rank, 0);
        assert_int_equal(lr_response_error(NULL, &before, &s, &m, 0, 50, NULL), LR_OK);
        assert_true(before < 1e-12);
        lr_lowrank_free(&m);
        s.yhat = copy; /* the regression, too */
    }
    assert_int_equal(n_notes, 2);
    free(copy);
}

static void linear__notes_fewer_rows_than_filters(void **state)
{
    (void)state;
    int n_notes = 0;
    struct lr_notes notes = {count_note, &n_notes};
    struct lr_solve_opts o;
    struct lr_lowrank m;
    lr_solve_opts_default(&o);
    o.notes = &notes;
    struct fixture f = fixture_make(24, 24, 12, 0.1, false, 22);
    assert_int_equal(lr_solve_linear(&m, &f.s, 6, &o, NULL), LR_OK);
    assert_int_equal(m.n_data_rank, 11);
    assert_int_equal(n_notes, 1);
    lr_lowrank_free(&m);
    fixture_free(&f);
}

static void linear__refuses_bad_arguments(void **state)
{
    (void)state;
    struct fixture f = fixture_make(8, 8, 60, 0.1, false, 23);
    struct lr_lowrank m;
    struct lr_err e = {0};
    assert_int_equal(lr_solve_linear(&m, &f.s, 0, NULL, &e), LR_EINVAL);
    assert_int_equal(lr_solve_linear(&m, &f.s, 9, NULL, &e), LR_EINVAL);
    assert_string_equal(e.msg, "rank 9 exceeds its 8 filters");
    f.s.n_fit = 0;
    assert_int_equal(lr_solve_linear(&m, &f.s, 2, NULL, &e), LR_EINVAL);
    f.s.n_fit = 60;
    f.yhat[17] = NAN;
    assert_int_equal(lr_solve_linear(&m, &f.s, 2, NULL, &e), LR_ENUMERIC);
    f.yhat[17] = 0;
    f.target[20] = INFINITY;
    assert_int_equal(lr_solve_linear(&m, &f.s, 2, NULL, &e), LR_ENUMERIC);
    assert_null(m.p);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear__closed_forms_agree_on_full_rank_data),
        cmocka_unit_test(linear__closed_forms_agree_on_deficient_data),
        cmocka_unit_test(linear__regression_on_itself_is_pca),
        cmocka_unit_test(linear__pca_keeps_the_largest_variances),
        cmocka_unit_test(linear__full_rank_reproduces_the_responses),
        cmocka_unit_test(linear__full_rank_undoes_an_invertible_map),
        cmocka_unit_test(linear__shortcut_is_subtracted_from_the_target),
        cmocka_unit_test(linear__shared_buffer_with_shortcut_is_a_regression),
        cmocka_unit_test(linear__keeps_weak_channels_above_the_cut),
        cmocka_unit_test(linear__dead_layer_gives_its_constant),
        cmocka_unit_test(linear__notes_fewer_rows_than_filters),
        cmocka_unit_test(linear__refuses_bad_arguments),
    };
    lr_la_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
