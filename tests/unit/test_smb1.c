/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: SMB1 as the oldest clients speak it: core and LAN Manager dialects */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/facts_json.h"
#include "wire/smb.h"

#define HEADER(cmd, flags) "\xffSMB" cmd "\0\0\0\0" flags "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define REQUEST "\x18"
#define REPLY "\x98"

static struct flow_facts facts;

/* One message to the facts; every prefix of it too, before, which is to be survived. */
static void take(const char *bytes, size_t len)
{
	struct flow_view v = { .facts = &facts };
	struct flow_facts before = facts;

	for (size_t n = 12; n < len; n++) {
		smb1_take(cursor_of((const uint8_t *)bytes, n), &v);
		facts = before;
		v = (struct flow_view){ .facts = &facts };
	}
	assert_true(smb1_take(cursor_of((const uint8_t *)bytes, len), &v));
}
#define TAKE(text) take(text, sizeof(text) - 1)

static int setup(void **state)
{
	(void)state;
	memset(&facts, 0, sizeof(facts));
	facts.app = APP_SMB;
	return 0;
}

static void assert_text(const uint8_t *b, uint8_t len, const char *text)
{
	assert_int_equal(len, strlen(text));
	assert_memory_equal(b, text, len);
}
#define ASSERT_TEXT(fact, text) assert_text((fact).b, (fact).len, text)

static int json_index(void)
{
	json_t *o = facts_json(&facts), *i = json_object_get(o, "dialect_index");
	int n = i ? (int)json_integer_value(i) : -1;

	json_decref(o);
	return n;
}

/* smbclient -m LANMAN2: ten words, one password. */
static void lanman_setup(void **state)
{
	const struct smb_facts *f = &facts.smb;

	(void)state;
	TAKE(HEADER("\x72", REPLY) "\x0d\1\0" "\1\0" "\xff\xff\x32\0\1\0\0\0" "\0\0\0\0"
	     "\0\0\0\0" "\0\0\0\0" "\0\0" "\0\0");
	assert_int_equal(json_index(), 1);
	TAKE(HEADER("\x73", REQUEST) "\x0a" "\xff\0\0\0" "\xff\xff\2\0\1\0" "\x5d\x7f\0\0"
	     "\3\0" "\0\0\0\0" "\x19\0" "pwdroot\0WORKGROUP\0Unix\0Samba");
	ASSERT_TEXT(f->ntlm.user, "root");
	ASSERT_TEXT(f->ntlm.domain, "WORKGROUP");
	ASSERT_TEXT(f->client_os, "Unix");
	assert_true(f->flags & SMB_1_IN_USE);
	assert_false(f->flags & SMB_NULL_SESSION);
}

static void lanman_null_session(void **state)
{
	(void)state;
	TAKE(HEADER("\x73", REQUEST) "\x0a" "\xff\0\0\0" "\xff\xff\2\0\1\0" "\x5d\x7f\0\0"
	     "\0\0" "\0\0\0\0" "\x0c\0" "\0\0Unix\0Samba\0");
	assert_true(facts.smb.flags & SMB_NULL_SESSION);
	ASSERT_TEXT(facts.smb.client_os, "Unix");
}

/* Core: no session setup; the share is asked for by a command of its own. */
static void core_tree(void **state)
{
	(void)state;
	TAKE(HEADER("\x70", REQUEST) "\0\x18\0" "\4\\\\ERP\\ADMIN$\0" "\4secret\0" "\4A:");
	assert_string_equal(smb_interest_name((unsigned)__builtin_ctz(facts.smb.interest)),
	    "ADMIN$");
	facts.smb.interest = 0;
	TAKE(HEADER("\x70", REQUEST) "\0\x08\0" "\2\\\\ERP\\C$");
	assert_int_equal(facts.smb.interest, 0);
}

/* A server that takes none of the dialects says 0xffff: SMB1 is off there. */
static void none_taken(void **state)
{
	(void)state;
	assert_int_equal(json_index(), -1);
	TAKE(HEADER("\x72", REPLY) "\1\xff\xff\0\0");
	assert_int_equal(json_index(), 0xffff);
	TAKE(HEADER("\x73", REQUEST) "\x0a" "\xff\0\0\0" "\xff\xff\2\0\1\0" "\x5d\x7f\0\0"
	     "\0\0" "\0\0\0\0" "\0\0");
	assert_false(facts.smb.flags & SMB_1_IN_USE);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lanman_setup),
		TEST(lanman_null_session),
		TEST(core_tree),
		TEST(none_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
