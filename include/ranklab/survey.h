/* Estimating what all images would give from some of them. The outputs of the original
 * are known for every image, and an approximated network changes its mind mostly where
 * the original was in doubt: images are put into strata by the original's margin, and
 * drawn at random within each, more where changes were seen. Cochran, "Sampling
 * techniques" (1977), chapters 5 and 5A; Neyman (1934). */
#ifndef RANKLAB_SURVEY_H
#define RANKLAB_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "ranklab/err.h"
#include "ranklab/eval.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LR_MAX_STRATA = 16 };

struct lr_stratum {
    int64_t first, n;       /* its images: order[first .. first + n - 1] */
    int64_t n_drawn;        /* the first so many of them */
    int64_t n_rise, n_fall; /* of those drawn: value +1 and -1 */
};
/* Values of -1, 0 or 1 per image, of n images in all. */
struct lr_survey {
    int64_t n;
    int64_t *order; /* images stratum by stratum, in the order they are drawn; owned */
    uint8_t *stratum_of; /* by image; owned */
    int n_strata;
    struct lr_stratum strata[LR_MAX_STRATA];
};
/* Strata by the margin between the original's two largest outputs: the doubtful half of
 * the images is halved again and again. Drawn by seed; the same for every network. */
enum lr_status lr_survey_init(struct lr_survey *s, const struct lr_outcome *original,
                              uint64_t seed, struct lr_err *e);
void lr_survey_free(struct lr_survey *s);
/* Forgets what was drawn, for another network. */
void lr_survey_restart(struct lr_survey *s);
/* The images to be looked at next, at most max of them (at least 256), into images;
 * returns how many: about a quarter of what seems to be missing for the half-width
 * wanted, a multiple of batch unless no more are left. They count as drawn: lr_survey_put
 * must follow for each. 0: every image was drawn. */
int64_t lr_survey_next(int64_t *images, int64_t max, struct lr_survey *s, double wanted,
                       int batch);
void lr_survey_put(struct lr_survey *s, int64_t image, int value);
int64_t lr_survey_count(const struct lr_survey *s); /* images drawn */
/* The estimated mean over all images, and the half-width of its 95 % interval: by how
 * much the mean of all n images may differ from it. 0 once all are drawn. A stratum is
 * taken to have one more change than was seen in it, so that one without any is not taken
 * to be free of them. */
double lr_survey_mean(const struct lr_survey *s);
double lr_survey_half_width(const struct lr_survey *s);
/* lr_eval_compare from the images drawn, whose outcomes alone are looked at. Everything
 * is estimated for all n images; the intervals are those that all images would give,
 * widened by the uncertainty of the estimate: both are added in quadrature. */
enum lr_status lr_survey_compare(struct lr_eval *r, const struct lr_survey *s,
                                 const struct lr_outcome *original,
                                 const struct lr_outcome *approximated, struct lr_err *e);

#ifdef __cplusplus
}
#endif

#endif
