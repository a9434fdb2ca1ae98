/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: facts of a flow as the smb{} and rdp{} objects of events */
#ifndef BASE_FACTS_JSON_H
#define BASE_FACTS_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "wire/facts.h"

struct json_t;

/* A JSON string of bytes from the wire: what is not UTF-8 becomes U+FFFD, control
 * characters are escaped when it is written.  A new reference, or NULL. */
struct json_t *facts_json_text(const uint8_t *bytes, size_t len);

/* The object for f->app, in the shape of Suricata's EVE where it has one.  Only
 * what is known is in it.  A new reference, or NULL (no app, no memory). */
struct json_t *facts_json(const struct flow_facts *f);

/* Words for dialects: "NT LM 0.12", "2.02", "3.11"; "" where none was chosen.
 * Returns buf. */
enum { FACTS_DIALECT_LEN = 32 };
const char *facts_dialect(const struct smb_facts *f, char buf[static FACTS_DIALECT_LEN]);

/* What an RDP server chose: "rdp" (standard security), "ssl", "hybrid", …; "" if
 * it has not answered.  Static text. */
const char *facts_rdp_selected(const struct rdp_facts *f);

const char *facts_confidence(const struct flow_facts *f);

#endif
