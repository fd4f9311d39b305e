/* Outputs that are handed over while the net runs. A tap is a step like any other, so
 * that the memory plan keeps a buffer until it was handed over, and no longer: all
 * responses of a deep network can be looked at in one run without holding them together.
 */
#include "net.h"

#include "ranklab/mem.h"

struct tap {
    const struct lr_net *net;
    int output;
};

static void hand_over(const void *arg, void *const *bufs)
{
    const struct tap *t = arg;

    t->net->tap(t->net->tap_ctx, t->output, bufs[0]);
}

enum lr_status lr_eng_add_tap(struct lr_eng_build *b, int i, int buf)
{
    struct tap *t = lr_alloc(1, sizeof(*t));

    if (!t)
        return lr_enomem(b->e, sizeof(*t), "a step of the net");
    *t = (struct tap){b->net, i};
    return lr_eng_add_kernel(b, hand_over, t, 1, &buf);
}
