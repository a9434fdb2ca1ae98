/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: messages to a role that its socket has no room for yet */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/loop.h"
#include "enforcer/queue.h"
#include "enforcer/roles.h"
#include "enforcer/state.h"

struct queued {
	struct queued *next;
	enum msg_type type;
	uint32_t id;
	int fd;
	unsigned char body[];
};

static int queue_keep(struct child *c, enum msg_type type, uint32_t id, const void *body,
    int fd)
{
	size_t len = msg_table[type].len;
	struct queued *q;

	if (c->nqueued >= ROLES_QUEUE_MAX)
		return -ENOBUFS;
	q = malloc(sizeof(*q) + len);
	if (!q)
		return -ENOMEM;
	*q = (struct queued){ .type = type, .id = id,
		.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0) };
	if (len)
		memcpy(q->body, body, len);
	if (c->tail)
		c->tail->next = q;
	else
		c->head = q;
	c->tail = q;
	c->nqueued++;
	if (c->io)
		loop_set_events(c->io, EPOLLIN | EPOLLOUT);
	return 0;
}

int queue_send(struct child *c, enum msg_type type, uint32_t id, const void *body, int fd)
{
	int r = c->head ? -EAGAIN : msg_send(c->fd, type, id, body, &fd);

	return r == -EAGAIN ? queue_keep(c, type, id, body, fd) : r;
}

static void queue_pop(struct child *c)
{
	struct queued *q = c->head;

	c->head = q->next;
	if (!c->head)
		c->tail = NULL;
	c->nqueued--;
	if (q->fd >= 0)
		close(q->fd);
	free(q);
}

void queue_flush(struct child *c)
{
	while (c->head) {
		struct queued *q = c->head;

		if (msg_send(c->fd, q->type, q->id, q->body, &q->fd) == -EAGAIN)
			return;
		queue_pop(c);
	}
	if (c->io)
		loop_set_events(c->io, EPOLLIN);
}

void queue_clear(struct child *c)
{
	while (c->head)
		queue_pop(c);
}
