/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: the cursor never reads past its end and stays short */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/cursor.h"

static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

static void numbers_in_both_orders(void **state)
{
	struct cursor c = cursor_of(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_be16(&c), 0x0203);
	assert_int_equal(cursor_le16(&c), 0x0504);
	assert_int_equal(cursor_be32(&c), 0x06070809);
	assert_true(cursor_ok(&c));
	assert_int_equal(cursor_left(&c), 0);
	c = cursor_of(bytes, sizeof(bytes));
	assert_true(cursor_be64(&c) == 0x0102030405060708u);
	c = cursor_of(bytes, sizeof(bytes));
	assert_true(cursor_le64(&c) == 0x0807060504030201u);
	c = cursor_of(bytes, sizeof(bytes));
	assert_true(cursor_le32(&c) == 0x04030201u);
}

static void short_read_sticks(void **state)
{
	struct cursor c = cursor_of(bytes, 3);

	(void)state;
	assert_int_equal(cursor_be32(&c), 0);
	assert_false(cursor_ok(&c));
	assert_int_equal(cursor_u8(&c), 0); /* although a byte would be there */
	assert_int_equal(cursor_left(&c), 0);
	assert_null(cursor_take(&c, 0));
}

static void sub_is_bounded(void **state)
{
	struct cursor c = cursor_of(bytes, sizeof(bytes)), sub = cursor_sub(&c, 4);

	(void)state;
	assert_int_equal(cursor_left(&sub), 4);
	cursor_skip(&sub, 5);
	assert_false(cursor_ok(&sub));
	assert_true(cursor_ok(&c));
	assert_int_equal(cursor_u8(&c), 5);
	sub = cursor_sub(&c, 5);
	assert_false(cursor_ok(&sub));
	assert_false(cursor_ok(&c));
}

static void offsets_from_the_wire(void **state)
{
	struct cursor c = cursor_of(bytes, sizeof(bytes)), at;

	(void)state;
	at = cursor_at(&c, 2, 3);
	assert_int_equal(cursor_left(&at), 3);
	at = cursor_at(&c, 8, 2);
	assert_false(cursor_ok(&at));
	at = cursor_at(&c, SIZE_MAX, 2);
	assert_false(cursor_ok(&at));
	at = cursor_from(&c, 9);
	assert_true(cursor_ok(&at));
	assert_int_equal(cursor_left(&at), 0);
	assert_int_equal(cursor_find(&c, "\x08\x09", 2), 7);
	assert_int_equal(cursor_find(&c, "\x09\x0a", 2), -1);
	assert_true(cursor_starts(&c, "\x01\x02", 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_in_both_orders),
		cmocka_unit_test(short_read_sticks),
		cmocka_unit_test(sub_is_bounded),
		cmocka_unit_test(offsets_from_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
