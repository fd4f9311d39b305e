/* Measured milliseconds of layers and networks on this machine. */
#ifndef RANKLAB_TIMING_H
#define RANKLAB_TIMING_H

#include "ranklab/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Milliseconds for one batch of the deployment, of layer (-1: the whole network), as the
 * plan is now and in the original; NAN while that was not measured. Ranks between
 * measured ones are interpolated along the steps of the layer's table. */
void lr_session_ms(double *ms, double *ms_original, const struct lr_session *s,
                   int layer);
/* True when lr_session_ms of the whole network was measured as the plan is, not put
 * together from tables of layers. */
bool lr_session_is_timed(const struct lr_session *s);

#ifdef __cplusplus
}
#endif

#endif
