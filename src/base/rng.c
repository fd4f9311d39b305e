/* xoshiro256** and splitmix64 after Blackman and Vigna. Everything is integer arithmetic
 * or exact floating-point steps: the normal deviates come from Karney's method (Sampling
 * exactly from the normal distribution, 2016), which only compares uniform deviates, so
 * that neither the mathematics library nor fused multiply-adds can change a sequence. */
#include "ranklab/rng.h"

#include <stdbool.h>

static const uint64_t GOLDEN = 0x9E3779B97F4A7C15u;

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void lr_rng_seed(struct lr_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += GOLDEN;
        r->s[i] = mix(seed);
    }
}

uint64_t lr_rng_next(struct lr_rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t lr_rng_below(struct lr_rng *r, uint64_t n)
{
    uint64_t x;

    if (n == 0)
        return 0;
    /* Below 2^64 mod n lies the uneven rest: draw again there. */
    uint64_t rest = (0 - n) % n;
    do
        x = lr_rng_next(r);
    while (x < rest);
    return x % n;
}

double lr_rng_uniform(struct lr_rng *r)
{
    return (double)(lr_rng_next(r) >> 11) * 0x1p-53;
}

/* True with probability exp(-1/2): the longest run 1/2 > u1 > u2 > ... is of even length.
 */
static bool bernoulli_half(struct lr_rng *r)
{
    double last = 0.5;
    bool is_even = true;

    for (;;) {
        double u = lr_rng_uniform(r);
        if (u >= last)
            return is_even;
        last = u;
        is_even = !is_even;
    }
}

/* True with probability exp(-x (2k + x) / (2k + 2)). */
static bool bernoulli_step(struct lr_rng *r, int k, double x)
{
    double y = x, threshold = ((double)(2 * k) + x) / (double)(2 * k + 2);
    bool is_even = true;

    for (;;) {
        double z = lr_rng_uniform(r);
        if (z >= y || lr_rng_uniform(r) >= threshold)
            return is_even;
        y = z;
        is_even = !is_even;
    }
}

static bool bernoulli_half_times(struct lr_rng *r, int n)
{
    for (int i = 0; i < n; i++)
        if (!bernoulli_half(r))
            return false;
    return true;
}

static bool accept_fraction(struct lr_rng *r, int k, double x)
{
    for (int i = 0; i <= k; i++)
        if (!bernoulli_step(r, k, x))
            return false;
    return true;
}

double lr_rng_normal(struct lr_rng *r)
{
    for (;;) {
        /* The integer part: k with probability proportional to exp(-k^2 / 2). */
        int k = 0;
        while (bernoulli_half(r))
            k++;
        if (!bernoulli_half_times(r, k * (k - 1)))
            continue;
        double x = lr_rng_uniform(r);
        if (!accept_fraction(r, k, x))
            continue;
        x += k;
        return lr_rng_next(r) >> 63 ? -x : x;
    }
}

uint64_t lr_hash(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t h = mix(seed + GOLDEN);

    h = mix(h + a + GOLDEN);
    return mix(h + b + GOLDEN);
}

void lr_rng_permutation(struct lr_rng *r, int64_t *perm, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t j = (int64_t)lr_rng_below(r, (uint64_t)i + 1);
        perm[i] = perm[j];
        perm[j] = i;
    }
}
