/* Grouped convolutions of the engine against loops. */
#include "engine_check.h"

static int64_t between(struct build *b, int64_t lo, int64_t hi)
{
    return lo + (int64_t)lr_rng_below(&b->rng, (uint64_t)(hi - lo + 1));
}

/* The forms a split gives: groups with 1 x 1, k x 1 and 1 x k windows, strides (s, 1) and
 * (1, s), dilation and padding on one side. */
static void conv__matches_loops_when_split_in_groups(void **state)
{
    static const int64_t forms[][2] = {{1, 1}, {5, 1}, {1, 7}, {3, 3}};
    (void)state;
    for (uint64_t seed = 0; seed < 48; seed++) {
        struct build b = build_new(160 + seed, 12);
        int64_t group = seed % 3 == 2 ? 8 : 1 + (int64_t)(seed % 3) * 3;
        int64_t c = group * between(&b, 1, 6), d = group * between(&b, 1, 9);
        int64_t kh = forms[seed % 4][0], kw = forms[seed % 4][1];
        const int64_t pads[4] = {between(&b, 0, kh / 2), between(&b, 0, kw / 2), 0,
                                 between(&b, 0, kw / 2)};
        int x = input(&b, DIMS(-1, c, 13, 15));
        int w = weight(&b, 0.3, DIMS(d, c / group, kh, kw)),
            bias = weight(&b, 0.5, DIMS(d));
        int y = node(&b, LR_OP_CONV, "Conv", x, w, bias, -2);
        set_ints(&b, "strides", DIMS(kh > 1 ? 2 : 1, kw > 1 ? 3 : 1));
        set_ints(&b, "dilations", DIMS(seed % 8 > 3 ? 2 : 1, 1));
        set_ints(&b, "pads", 4, pads);
        set_int(&b, "group", group);
        check_graph(&b, seed % 5 ? relu(&b, y) : y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv__matches_loops_when_split_in_groups),
    };
    return cmocka_run_group_tests_name("engine_groups", tests, NULL, NULL);
}
