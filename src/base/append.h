/* Adding lines to a file that others add to as well. */
#ifndef RANKLAB_BASE_APPEND_H
#define RANKLAB_BASE_APPEND_H

#include <stdbool.h>
#include <stddef.h>

/* Appends text, whole lines, to fd, opened with O_RDWR | O_APPEND, in one write. A torn
 * line that a killed process left is ended first. 0, or errno and, where
 * the lock could be had, the file as it was. */
int lr_append(int fd, const char *text, size_t len);
/* The same for somebody who holds the lock of fd; is_synced: on the disk when it returns.
 */
int lr_append_locked(int fd, const char *text, size_t len, bool is_synced);

#endif
