/* What solves share must change nothing: neither for other ranks and methods, nor when
 * the whitened rows kept by one of them are too few for the next. */
#include "approx_fixture.h"

static void assert_same(const struct lr_lowrank *a, const struct lr_lowrank *b)
{
    size_t n = (size_t)a->d * (size_t)a->rank;

    assert_int_equal(a->best_iteration, b->best_iteration);
    assert_memory_equal(a->p, b->p, n * sizeof(*a->p));
    assert_memory_equal(a->q, b->q, n * sizeof(*a->q));
    assert_memory_equal(a->b, b->b, (size_t)a->d * sizeof(*a->b));
}

/* Responses that span 9 of 16 dimensions: at rank 12 validation rows are not whitened, at
 * rank 5 they are. */
static void shared__solves_give_the_same_bits(void **state)
{
    static const int ranks[] = {12, 5, 3, 12};
    struct fixture f = fixture_make(16, 9, 3000, 0, false, 71);
    struct lr_solve_opts alone, with;
    struct lr_shared *shared = NULL;

    (void)state;
    f.s.act = lr_act_relu;
    fixture_split(&f, 400, 0);
    lr_solve_opts_default(&alone);
    alone.n_iter1 = alone.n_iter2 = 4;
    with = alone;
    assert_int_equal(lr_shared_new(&shared, NULL), LR_OK);
    with.shared = shared;
    for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
        struct lr_lowrank a, b;
        assert_int_equal(lr_solve_relu(&a, &f.s, ranks[i], NULL, &alone, NULL), LR_OK);
        assert_int_equal(lr_solve_relu(&b, &f.s, ranks[i], NULL, &with, NULL), LR_OK);
        assert_same(&a, &b);
        lr_lowrank_free(&a);
        lr_lowrank_free(&b);
        assert_int_equal(lr_solve_linear(&a, &f.s, ranks[i], &alone, NULL), LR_OK);
        assert_int_equal(lr_solve_linear(&b, &f.s, ranks[i], &with, NULL), LR_OK);
        assert_same(&a, &b);
        lr_lowrank_free(&a);
        lr_lowrank_free(&b);
    }
    lr_shared_free(shared);
    fixture_free(&f);
}

/* Samples of another size get what is theirs. */
static void shared__other_samples_are_noticed(void **state)
{
    struct fixture f = fixture_make(16, 16, 1000, 0.1, false, 72);
    struct fixture other = fixture_make(10, 10, 1000, 0.1, false, 73);
    struct lr_solve_opts with;
    struct lr_shared *shared = NULL;
    struct lr_lowrank a, b;

    (void)state;
    lr_solve_opts_default(&with);
    assert_int_equal(lr_shared_new(&shared, NULL), LR_OK);
    with.shared = shared;
    assert_int_equal(lr_solve_linear(&a, &f.s, 4, &with, NULL), LR_OK);
    lr_lowrank_free(&a);
    assert_int_equal(lr_solve_linear(&a, &other.s, 4, &with, NULL), LR_OK);
    assert_int_equal(lr_solve_linear(&b, &other.s, 4, NULL, NULL), LR_OK);
    assert_same(&a, &b);
    lr_lowrank_free(&a);
    lr_lowrank_free(&b);
    lr_shared_free(shared);
    fixture_free(&f);
    fixture_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared__solves_give_the_same_bits),
        cmocka_unit_test(shared__other_samples_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
