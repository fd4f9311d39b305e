/* Seeded random numbers: the same sequence on every machine. */
#ifndef RANKLAB_RNG_H
#define RANKLAB_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* xoshiro256** seeded through splitmix64 (Blackman and Vigna 2018). */
struct lr_rng {
    uint64_t s[4];
};
void lr_rng_seed(struct lr_rng *r, uint64_t seed);
uint64_t lr_rng_next(struct lr_rng *r);
/* Uniform in 0..n-1 without modulo bias; n > 0. */
uint64_t lr_rng_below(struct lr_rng *r, uint64_t n);
double lr_rng_uniform(struct lr_rng *r); /* [0, 1) */
double lr_rng_normal(struct lr_rng *r);  /* mean 0, variance 1 */
/* A well-mixed 64-bit hash of (seed, a, b): draws that depend only on their place. */
uint64_t lr_hash(uint64_t seed, uint64_t a, uint64_t b);
/* perm: n entries, filled with a random permutation of 0..n-1. */
void lr_rng_permutation(struct lr_rng *r, int64_t *perm, int64_t n);

#ifdef __cplusplus
}
#endif

#endif
