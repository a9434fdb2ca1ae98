/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the control socket: clients, bounded buffers, who may ask what */
#include "engine/control.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "priv/ctl.h"

enum { HOST_LEN = 96, IDLE_MS = 30000 };

struct client {
	struct control *ctl; /* NULL: free */
	int fd;
	uid_t uid;
	struct loop_source *source;
	char in[CTL_LINE_MAX + 1]; /* a question that is not whole yet */
	size_t in_len;
	char *out; /* what the socket did not take yet */
	size_t out_len, out_cap;
	bool busy, closing, watching; /* busy: a question is being answered */
	uint32_t wait_id, kinds;
	uint64_t deadline_us, skipped;
	char host[HOST_LEN];
};

struct control {
	struct loop *loop;
	struct loop_source *source;
	const struct control_verb *verbs;
	uid_t owner;
	void *arg;
	struct client client[CONTROL_CLIENTS];
};

static void client_close(struct client *c)
{
	loop_del(&c->source);
	close(c->fd);
	free(c->out);
	memset(c, 0, sizeof(*c));
}

static uint32_t client_events(const struct client *c)
{
	/* an unanswered client is not listened to: its next question waits in the
	 * socket; a watcher is, to notice that it left */
	return (c->closing || (c->busy && !c->watching) ? 0u : (uint32_t)EPOLLIN) |
	       (c->out_len ? (uint32_t)EPOLLOUT : 0u);
}

/* Send what waits.  False: the client is gone. */
static bool client_flush(struct client *c)
{
	size_t done = 0;

	while (done < c->out_len) {
		ssize_t n = send(c->fd, c->out + done, c->out_len - done,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		done += (size_t)n;
	}
	if (done > 0)
		memmove(c->out, c->out + done, c->out_len - done);
	c->out_len -= done;
	if (c->out_len == 0 && c->out_cap > CONTROL_WATCH_MAX) {
		free(c->out);
		c->out = NULL;
		c->out_cap = 0;
	}
	return true;
}

/* Room for len more bytes, within max.  False: there is none. */
static bool client_room(struct client *c, size_t len, size_t max)
{
	size_t cap = c->out_cap ? c->out_cap : 4096;
	char *grown;

	if (c->out_len + len > max)
		return false;
	while (cap < c->out_len + len)
		cap *= 2;
	if (cap == c->out_cap)
		return true;
	grown = realloc(c->out, cap);
	if (!grown)
		return false;
	c->out = grown;
	c->out_cap = cap;
	return true;
}

static bool client_put(struct client *c, const char *line, size_t len, size_t max)
{
	if (!client_room(c, len + 1, max))
		return false;
	memcpy(c->out + c->out_len, line, len);
	c->out[c->out_len + len] = '\n';
	c->out_len += len + 1;
	return true;
}

void control_line(struct client *c, const char *line, size_t len)
{
	if (!client_put(c, line, len, CONTROL_OUT_MAX))
		c->skipped++;
}

void control_row(struct client *c, struct json_t *row)
{
	char *text = row ? json_dumps(row, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	if (text)
		control_line(c, text, strlen(text));
	else
		c->skipped++;
	free(text);
	json_decref(row);
}

void control_end(struct client *c, int exit_code, const char *error)
{
	char skipped[64];
	json_t *end = json_pack("{s:b, s:i}", "end", 1, "exit", exit_code);
	char *text;

	if (c->skipped > 0 && !error) {
		snprintf(skipped, sizeof(skipped), "%llu rows did not fit",
		    (unsigned long long)c->skipped);
		error = skipped;
	}
	if (error)
		json_object_set_new(end, "error", json_string(error));
	text = end ? json_dumps(end, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
	/* a little above the bound, so that the end always fits */
	if (!text || !client_put(c, text, strlen(text), CONTROL_OUT_MAX + 4096))
		c->closing = true;
	free(text);
	json_decref(end);
	c->busy = false;
	c->wait_id = 0;
	c->skipped = 0;
	c->deadline_us = clock_mono_us() + IDLE_MS * 1000ull;
	if (c->source) /* of one that closes too: to send what it is owed */
		(void)loop_set_events(c->source, client_events(c) | EPOLLOUT);
}

void control_wait(struct client *c, uint32_t id, uint32_t timeout_ms)
{
	c->wait_id = id;
	c->deadline_us = clock_mono_us() + timeout_ms * 1000ull;
}

struct client *control_waiting(struct control *ctl, uint32_t id)
{
	for (int i = 0; ctl && id && i < CONTROL_CLIENTS; i++)
		if (ctl->client[i].ctl && ctl->client[i].wait_id == id)
			return &ctl->client[i];
	return NULL;
}

void control_watch(struct client *c, uint32_t kinds, const char *host)
{
	c->watching = true;
	c->kinds = kinds;
	snprintf(c->host, sizeof(c->host), "%s", host);
}

bool control_watched(const struct control *ctl)
{
	for (int i = 0; ctl && i < CONTROL_CLIENTS; i++)
		if (ctl->client[i].ctl && ctl->client[i].watching)
			return true;
	return false;
}

static void watcher_put(struct client *c, const char *line, size_t len)
{
	char note[48];
	int n;

	if (c->skipped > 0) {
		n = snprintf(note, sizeof(note), "{\"skipped\":%llu}",
		    (unsigned long long)c->skipped);
		if (!client_room(c, len + (size_t)n + 2, CONTROL_WATCH_MAX)) {
			c->skipped++;
			return;
		}
		client_put(c, note, (size_t)n, CONTROL_WATCH_MAX);
		c->skipped = 0;
	}
	if (!client_put(c, line, len, CONTROL_WATCH_MAX))
		c->skipped++;
}

void control_event(
    struct control *ctl, uint8_t kind, const char *host, const char *line, size_t len)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *c = &ctl->client[i];

		if (!c->ctl || !c->watching || (c->kinds && !(c->kinds >> kind & 1)) ||
		    (c->host[0] && strcmp(c->host, host) != 0))
			continue;
		watcher_put(c, line, len);
		/* sent by the loop: an engine in a hurry does not wait for readers */
		(void)loop_set_events(c->source, client_events(c));
	}
}

static const struct control_verb *verb_find(const struct control *ctl, const char *name)
{
	for (const struct control_verb *v = ctl->verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static void client_ask(struct client *c, const char *line, size_t len)
{
	json_t *q = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = json_string_value(json_object_get(q, "verb"));
	json_t *args = json_object_get(q, "args");
	const struct control_verb *v = name ? verb_find(c->ctl, name) : NULL;

	c->busy = true;
	if (!name || (args && !json_is_object(args)))
		control_end(c, 2, "a question is {\"verb\": NAME, \"args\": {...}}");
	else if (!v)
		control_end(c, 2, "unknown verb");
	else if (v->privileged && c->uid != 0 && c->uid != c->ctl->owner)
		control_end(
		    c, 5, "only root and the owner of the daemon may ask for that");
	else
		v->run(c->ctl->arg, c, args);
	json_decref(q);
}

/* Answer the questions that are whole, one at a time. */
static void client_questions(struct client *c)
{
	while (!c->busy && !c->closing) {
		char *nl = memchr(c->in, '\n', c->in_len);
		size_t len;

		if (!nl) {
			if (c->in_len > CTL_LINE_MAX) {
				control_end(c, 2, "the question is too long");
				c->closing = true;
			}
			return;
		}
		len = (size_t)(nl - c->in);
		client_ask(c, c->in, len);
		memmove(c->in, nl + 1, c->in_len - len - 1);
		c->in_len -= len + 1;
	}
}

/* False: gone, or a watcher that talks. */
static bool client_read(struct client *c)
{
	ssize_t n =
	    recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0 || c->watching)
		return false;
	c->in_len += (size_t)n;
	return true;
}

static void client_ready(void *arg, int fd, uint32_t events)
{
	struct client *c = arg;

	(void)fd;
	if (events & (EPOLLERR | EPOLLHUP)) {
		client_close(c);
		return;
	}
	if ((events & EPOLLIN) && !c->closing && !client_read(c))
		c->closing = true; /* it asks no more; what it is owed goes out first */
	client_questions(c);
	if (!client_flush(c) || (c->closing && c->out_len == 0)) {
		client_close(c);
		return;
	}
	(void)loop_set_events(c->source, client_events(c));
}

static struct client *client_free(struct control *ctl)
{
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (!ctl->client[i].ctl)
			return &ctl->client[i];
	return NULL;
}

static void control_accept(void *arg, int fd, uint32_t events)
{
	struct control *ctl = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = client_free(ctl);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	(void)events;
	if (conn < 0)
		return;
	if (!c || getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		log_warnx("control", "a client was turned away: %s",
		    c ? "it has no credentials" : "too many of them");
		close(conn);
		return;
	}
	*c = (struct client){ .ctl = ctl,
		.fd = conn,
		.uid = peer.uid,
		.deadline_us = clock_mono_us() + IDLE_MS * 1000ull };
	if (loop_add_io(ctl->loop, conn, EPOLLIN, client_ready, c, &c->source) < 0)
		client_close(c);
}

void control_tick(struct control *ctl)
{
	uint64_t now = clock_mono_us();

	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *c = &ctl->client[i];

		if (!c->ctl || c->watching || now < c->deadline_us)
			continue;
		if (c->wait_id)
			control_end(c, 6, "the enforcer did not answer in time");
		else
			client_close(c);
	}
}

uint32_t control_clients(const struct control *ctl)
{
	uint32_t n = 0;

	for (int i = 0; i < CONTROL_CLIENTS; i++)
		n += ctl->client[i].ctl != NULL;
	return n;
}

struct control *control_new(
    struct loop *loop, int fd, const struct control_verb *verbs, uid_t owner, void *arg)
{
	struct control *ctl = calloc(1, sizeof(*ctl));

	if (!ctl)
		return NULL;
	ctl->loop = loop;
	ctl->verbs = verbs;
	ctl->owner = owner;
	ctl->arg = arg;
	if (loop_add_io(loop, fd, EPOLLIN, control_accept, ctl, &ctl->source) < 0) {
		free(ctl);
		return NULL;
	}
	return ctl;
}

void control_free(struct control *ctl)
{
	if (!ctl)
		return;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		if (ctl->client[i].ctl) {
			(void)client_flush(&ctl->client[i]);
			client_close(&ctl->client[i]);
		}
	loop_del(&ctl->source);
	free(ctl);
}
