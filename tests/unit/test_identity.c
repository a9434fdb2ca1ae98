/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: what hosts say they are, and flows of observed hosts in a bounded table */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "engine/identity.h"
#include "engine/watched.h"
#include "smallfs.h"

#define DAY (UINT64_C(86400) * 1000000)

/* One host of that product and build. */
static struct fs *declared(const char *product, uint32_t build)
{
	struct fs_builder *b = fsb_new();
	uint32_t h = smallfs_host(b, "erp", "10.20.8.11", NULL, FS_ENFORCE, true);
	struct fs *fs;

	fsb_host(b, h)->product = fsb_str(b, product);
	fsb_host(b, h)->build = build;
	fs = fsb_finish(b);
	fsb_free(b);
	return fs;
}

static struct msg_sighting seen(void)
{
	struct msg_sighting s = { .kind = SIGHT_SPOKEN,
		.src = ip("10.1.0.9"),
		.dst = ip("10.20.8.11"),
		.proto = IPPROTO_TCP,
		.count = 1 };

	s.facts.app = APP_SMB;
	return s;
}

static void ntlm(struct msg_sighting *s, uint8_t major, uint8_t minor, uint16_t build)
{
	s->facts.smb.ntlm.has_challenge = s->facts.smb.ntlm.has_version = 1;
	s->facts.smb.ntlm.major = major;
	s->facts.smb.ntlm.minor = minor;
	s->facts.smb.ntlm.build = build;
}

static void native_os(struct msg_sighting *s, const char *text)
{
	s->facts.smb.native_os.len = (uint8_t)strlen(text);
	memcpy(s->facts.smb.native_os.b, text, strlen(text));
}

static enum posture_seen verdict(uint32_t build, const struct msg_sighting *s,
    const char *text)
{
	struct identities *t = identities_new();
	struct fs *fs = declared("windows-server-2008-sp2", build);
	struct identity found = { .verdict = POSTURE_SEEN_NOTHING };

	if (identity_note(t, fs, s, 1000, &found))
		assert_non_null(strstr(found.text, text));
	free(fs);
	identities_free(t);
	return found.verdict;
}

static void verdicts(void **state)
{
	struct msg_sighting s = seen();

	(void)state;
	assert_int_equal(verdict(6003, &s, ""), POSTURE_SEEN_NOTHING);
	ntlm(&s, 6, 0, 6003);
	assert_int_equal(verdict(6003, &s, "as declared"), POSTURE_SEEN_AGREES);
	assert_int_equal(verdict(6003, &s, "Vista has the same"), POSTURE_SEEN_AGREES);
	assert_int_equal(verdict(0, &s, "no build is declared"), POSTURE_SEEN_UNKNOWN);
	ntlm(&s, 6, 0, 6002);
	assert_int_equal(verdict(6003, &s, "6003 is declared"), POSTURE_SEEN_DIFFERS);
	ntlm(&s, 6, 0, 6001);
	assert_int_equal(verdict(6003, &s, "without Service Pack 2"), POSTURE_SEEN_DIFFERS);
	ntlm(&s, 6, 1, 7601);
	assert_int_equal(verdict(6003, &s, "6.1.7601"), POSTURE_SEEN_DIFFERS);
	ntlm(&s, 6, 1, 0);
	assert_int_equal(verdict(6003, &s, "Samba"), POSTURE_SEEN_DIFFERS);
	s = seen();
	native_os(&s, "Windows Vista (TM) Business 6002 Service Pack 2");
	assert_int_equal(verdict(6002, &s, "Windows Vista"), POSTURE_SEEN_DIFFERS);
	s = seen();
	native_os(&s, "Windows Server (R) 2008 Standard 6002 Service Pack 2");
	assert_int_equal(verdict(6002, &s, "as declared"), POSTURE_SEEN_AGREES);
	s = seen();
	s.facts.smb.flags = SMB_SEEN_2;
	s.facts.smb.smb2_chosen = 0x0210;
	assert_int_equal(verdict(6003, &s, "2.10 or higher"), POSTURE_SEEN_DIFFERS);
	s.facts.smb.smb2_chosen = 0x0202;
	assert_int_equal(verdict(6003, &s, ""), POSTURE_SEEN_NOTHING);
}

/* Text of the wire is never in what is said. */
static void no_foreign_text(void **state)
{
	struct msg_sighting s = seen();
	struct identities *t = identities_new();
	struct fs *fs = declared("windows-server-2008-sp2", 6003);
	struct identity found;

	(void)state;
	native_os(&s, "Windows \x1b[31mEVIL");
	assert_true(identity_note(t, fs, &s, 1000, &found));
	assert_null(strstr(found.text, "EVIL"));
	free(fs);
	identities_free(t);
}

static void once(void **state)
{
	struct msg_sighting a = seen(), b = seen(), other = seen();
	struct identities *t = identities_new();
	struct fs *fs = declared("windows-server-2008-sp2", 6003);
	struct fs *changed = declared("windows-server-2008-sp2", 6002);
	struct identity found;

	(void)state;
	ntlm(&a, 6, 0, 6003);
	ntlm(&b, 6, 0, 6002);
	other.dst = ip("10.20.8.99"); /* nobody's */
	ntlm(&other, 6, 0, 6003);
	assert_false(identity_note(t, fs, &other, 1000, &found));
	assert_true(identity_note(t, fs, &a, 1000, &found));
	assert_false(identity_note(t, fs, &a, 2000, &found));
	assert_true(identity_note(t, fs, &b, 3000, &found)); /* changed */
	assert_false(identity_note(t, fs, &a, 4000, &found)); /* two that answer in turn */
	assert_false(identity_note(t, fs, &b, 5000, &found));
	assert_true(identity_note(t, changed, &b, 6000, &found)); /* declared anew */
	assert_int_equal(found.verdict, POSTURE_SEEN_AGREES);
	assert_true(identity_note(t, fs, &a, 7000 + DAY, &found));
	free(fs);
	free(changed);
	identities_free(t);
}

static void named(struct msg_sighting *s, const char *text)
{
	s->facts.smb.ntlm.nb_computer.len = (uint8_t)strlen(text);
	memcpy(s->facts.smb.ntlm.nb_computer.b, text, strlen(text));
}

/* Another machine of the same build at the address: told, by what the names show. */
static void names(void **state)
{
	struct msg_sighting a = seen(), b = seen();
	struct identities *t = identities_new();
	struct fs *fs = declared("windows-server-2008-sp2", 6003);
	struct identity found;

	(void)state;
	ntlm(&a, 6, 0, 6003);
	ntlm(&b, 6, 0, 6003);
	named(&a, "XRAY1");
	named(&b, "XRAY2");
	assert_true(identity_note(t, fs, &a, 1000, &found));
	assert_null(strstr(found.text, "another name"));
	assert_false(identity_note(t, fs, &a, 2000, &found));
	assert_true(identity_note(t, fs, &b, 3000, &found));
	assert_int_equal(found.verdict, POSTURE_SEEN_AGREES);
	assert_non_null(strstr(found.text, "by another name than before"));
	assert_null(strstr(found.text, "XRAY"));
	assert_false(identity_note(t, fs, &a, 4000, &found)); /* in turn */
	assert_false(identity_note(t, fs, &b, 5000, &found));
	/* a day later each once more, and nothing was renamed by the day alone */
	assert_true(identity_note(t, fs, &b, 6000 + DAY, &found));
	assert_null(strstr(found.text, "another name"));
	free(fs);
	identities_free(t);
}

/* Three machines behind one address, each with four values: told once each. */
static void balanced(void **state)
{
	struct identities *t = identities_new();
	struct fs *fs = declared("windows-server-2008-sp2", 6003);
	unsigned told = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		struct msg_sighting s = seen();
		char os[64], name[16];
		struct identity found;

		ntlm(&s, 6, 0, (uint16_t)(6001 + i % 3));
		snprintf(os, sizeof(os), "Windows Server (R) 2008 Standard %u", 6001 + i % 3);
		snprintf(name, sizeof(name), "NODE%u", i % 3);
		native_os(&s, os);
		named(&s, name);
		told += identity_note(t, fs, &s, 1000 + i, &found);
	}
	assert_int_equal(told, 3);
	free(fs);
	identities_free(t);
}

/* A host that says something else each time is told of so often a day, and no more. */
static void talkative(void **state)
{
	struct identities *t = identities_new();
	struct fs *fs = declared("windows-server-2008-sp2", 6003);

	(void)state;
	for (unsigned day = 0; day < 2; day++) {
		unsigned told = 0;
		bool last_said = false;

		for (unsigned i = 0; i < 1000; i++) {
			struct msg_sighting s = seen();
			struct identity found;
			char os[64];

			snprintf(os, sizeof(os), "Windows Server (R) 2008 Standard 6003 %u-%u",
			    day, i);
			native_os(&s, os);
			if (!identity_note(t, fs, &s, 1000 + i + day * DAY, &found))
				continue;
			told++;
			last_said = strstr(found.text, "no more of it is told") != NULL;
		}
		assert_int_equal(told, IDENTITY_TOLD_MAX);
		assert_true(last_said);
	}
	free(fs);
	identities_free(t);
}

/* ---- flows of observed hosts ---- */

static struct watch_flow flow(unsigned peer, uint16_t port)
{
	struct watch_flow f;

	memset(&f, 0, sizeof(f));
	f.host = ip("10.20.8.12");
	f.peer = ip("10.0.0.0");
	f.peer.b[1] = (uint8_t)(peer >> 16);
	f.peer.b[2] = (uint8_t)(peer >> 8);
	f.peer.b[3] = (uint8_t)peer;
	f.dir = FS_IN;
	f.proto = IPPROTO_TCP;
	f.port = port;
	f.count = 1;
	f.first_us = f.last_us = 1000;
	return f;
}

static struct watch_flow found;
static unsigned nfound;
static void find(void *arg, const struct watch_flow *f)
{
	const struct watch_flow *like = arg;

	if (f->port != like->port || netaddr_cmp(&f->peer, &like->peer) != 0)
		return;
	found = *f;
	nfound++;
}

static bool is_there(struct watched *w, const struct watch_flow *f)
{
	nfound = 0;
	watched_each(w, find, (void *)(uintptr_t)f);
	return nfound == 1;
}

static void flows_add_up(void **state)
{
	struct watched *w = watched_new(64);
	struct watch_flow f = flow(1, 1433), later = f;

	(void)state;
	watched_add(w, &f);
	later.count = 4;
	later.last_us = 9000;
	later.why = WATCH_RDP;
	watched_add(w, &later);
	assert_true(is_there(w, &f));
	assert_int_equal(found.count, 5);
	assert_int_equal(found.first_us, 1000);
	assert_int_equal(found.last_us, 9000);
	assert_int_equal(found.why, WATCH_RDP);
	watched_add(w, &f); /* the mark stays */
	assert_true(is_there(w, &f) && found.why == WATCH_RDP);
	watched_free(w);
}

/* What a scanner asked for is told apart, and gives way first. */
static void flows_are_bounded(void **state)
{
	struct watched *w = watched_new(256);
	struct watch_flow good = flow(7, 1433), bad;
	struct watch_stats st;

	(void)state;
	good.count = 3;
	watched_add(w, &good);
	bad = flow(9, 1);
	watched_add(w, &bad);
	watched_scanner(w, &bad.peer);
	assert_true(is_there(w, &bad) && found.why == WATCH_SCAN);
	for (uint16_t port = 2; port < 5000; port++) {
		bad = flow(9, port);
		watched_add(w, &bad);
	}
	assert_true(is_there(w, &good));
	watched_stats(w, &st);
	assert_int_equal(st.flows, 256);
	assert_int_equal(st.forgotten, 5000 - 256);
	assert_int_equal(st.forgotten_packets, 5000 - 256);
	watched_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(no_foreign_text),
		cmocka_unit_test(once),
		cmocka_unit_test(names),
		cmocka_unit_test(balanced),
		cmocka_unit_test(talkative),
		cmocka_unit_test(flows_add_up),
		cmocka_unit_test(flows_are_bounded),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
