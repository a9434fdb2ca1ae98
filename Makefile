# SPDX-License-Identifier: GPL-2.0-or-later
# cordon: one non-recursive Makefile; `make help` lists the verbs.
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd
BUILD      ?= build
PKG_CONFIG ?= pkg-config
CC         ?= cc
OPT        ?= -O2 -g
V          ?= 0
# nft, conntrack, smbd and xrdp live where only root's PATH looks.
export PATH := $(or $(PATH),/usr/bin:/bin):/usr/local/sbin:/usr/sbin:/sbin
VERSION    := $(shell cat VERSION)

# What a bare Debian 12 lacks: to build, to test, and for the lab's real peers.
DEPS_BUILD := gcc clang make pkg-config libpcap-dev libnftnl-dev libmnl-dev libyaml-dev \
  libnetfilter-conntrack-dev libsystemd-dev libseccomp-dev libcap-ng-dev libjansson-dev \
  libsodium-dev zlib1g-dev
DEPS_TEST := libcmocka-dev nftables iproute2 util-linux tzdata git python3 python3-jsonschema \
  python3-yaml mandoc libclang-rt-14-dev clang-format tshark tcpdump conntrack procps systemd systemd-container
DEPS_LAB := samba smbclient python3-impacket xrdp freerdp2-shadow-x11 freerdp2-x11 xvfb \
  xauth nmap hydra openssl netcat-openbsd

LIBS     := libnftnl libmnl yaml-0.1 libnetfilter_conntrack libsystemd libseccomp jansson \
  libsodium zlib
# Looked up by recipes only, so that `make deps` runs where none of them is installed yet.
PKG_CFLAGS = $(shell $(PKG_CONFIG) --cflags $(LIBS) libpcap)
PKG_LIBS   = $(shell $(PKG_CONFIG) --libs $(LIBS) libpcap) -lcap-ng
WARN := -Wall -Wextra -Werror -Werror=switch -Wshadow -Wstrict-prototypes \
  -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla \
  -Wformat=2 -Wno-format-nonliteral -Wundef
HARD := -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
CPPFLAGS += -D_GNU_SOURCE -I. -Iinclude -Idaemon -DCORDON_VERSION='"$(VERSION)"' \
  -DCORDON_SYSCONFDIR='"$(SYSCONFDIR)"'
CSTD := -std=c17
LDHARD := -pie -Wl,-z,relro,-z,now
ifneq ($(SAN),)
  OPT := -O1 -g -fno-omit-frame-pointer
  HARD := -fPIE -fsanitize=address,undefined -fno-sanitize-recover=undefined
  LDHARD := -pie -fsanitize=address,undefined
endif
ifneq ($(FUZZ),)
  HARD += -fsanitize=fuzzer-no-link
endif
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2));)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
RULES_O  := $(call obj,$(sort $(wildcard rules/*.c))) $(BUILD)/rules/shipped.o
WIRE_O   := $(call obj,$(sort $(wildcard daemon/wire/*.c)))
CLI_O    := $(call obj,$(sort $(wildcard daemon/cli/*.c)))
DAEMON_O := $(call obj,$(sort $(wildcard daemon/base/*.c daemon/priv/*.c daemon/nft/*.c \
  daemon/sensor/*.c daemon/engine/*.c daemon/loader/*.c daemon/enforcer/*.c)))
MAIN_O   := $(call obj,daemon/main.c)
SHIPPED  := $(sort $(wildcard rules/services/*.yaml rules/guards/*.yaml rules/profiles/*.yaml \
  rules/servicing/*.yaml))
AR_ALL   := -Wl,--start-group $(BUILD)/libdaemon.a $(BUILD)/librules.a $(BUILD)/libwire.a -Wl,--end-group
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))

all: $(BUILD)/cordon $(BUILD)/cordond

include tests/targets.mk

$(BUILD)/cordon: $(CLI_O) $(BUILD)/librules.a $(BUILD)/libwire.a $(BUILD)/libdaemon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDHARD) $(LDFLAGS) -o $@ $(CLI_O) $(AR_ALL) $(PKG_LIBS)
$(BUILD)/cordond: $(MAIN_O) $(BUILD)/libdaemon.a $(BUILD)/librules.a $(BUILD)/libwire.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDHARD) $(LDFLAGS) -o $@ $(MAIN_O) $(AR_ALL) $(PKG_LIBS)
$(BUILD)/librules.a: $(RULES_O)
$(BUILD)/libwire.a: $(WIRE_O)
$(BUILD)/libdaemon.a: $(DAEMON_O)
$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/%.o: %.c Makefile VERSION
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CSTD) $(CPPFLAGS) $(PKG_CFLAGS) $(OPT) $(WARN) $(HARD) $(CFLAGS) \
	  -MMD -MP -c -o $@ $<
# The shipped YAML is linked in: a policy means the same on every machine with this binary.
$(BUILD)/rules/shipped.c: $(SHIPPED) rules/embed.sh
	$(Q)mkdir -p $(@D) && sh rules/embed.sh $(SHIPPED) > $@.tmp && mv $@.tmp $@
$(BUILD)/rules/shipped.o: $(BUILD)/rules/shipped.c
	$(call say,CC,$@)
	$(Q)$(CC) $(CSTD) $(CPPFLAGS) $(OPT) $(WARN) $(HARD) -c -o $@ $<

COMPLETION := bash-completion/completions/cordon zsh/site-functions/_cordon
deps: ; @sh tests/lib/deps.sh $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_LAB)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man5 \
	  $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/cordon $(DESTDIR)$(UNITDIR)/system \
	  $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 755 $(BUILD)/cordon $(DESTDIR)$(PREFIX)/bin/
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,$(dir $(COMPLETION)))
	$(BUILD)/cordon completion bash | install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/$(word 1,$(COMPLETION))
	$(BUILD)/cordon completion zsh | install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/$(word 2,$(COMPLETION))
	install -m 755 $(BUILD)/cordond $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 $(wildcard rules/*.5 daemon/engine/*.5) $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 $(wildcard daemon/*.8 daemon/cli/*.8) $(DESTDIR)$(PREFIX)/share/man/man8/
	cp -R rules/services rules/guards rules/profiles rules/servicing rules/examples \
	  daemon/engine/events.schema.json daemon/cli/posture.schema.json $(DESTDIR)$(PREFIX)/share/cordon/
	chmod -R u=rwX,go=rX $(DESTDIR)$(PREFIX)/share/cordon
	for u in systemd/*.service; do sed 's,@SBINDIR@,$(PREFIX)/sbin,g;s,@SYSCONFDIR@,$(SYSCONFDIR),g' $$u | \
	  install -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/system/$${u##*/} || exit 1; done
	install -m 644 systemd/cordon.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/cordon.conf
	install -m 644 systemd/cordon.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/cordon.conf
uninstall:
	rm -rf $(addprefix $(DESTDIR)$(PREFIX)/share/,$(COMPLETION)) $(DESTDIR)$(PREFIX)/bin/cordon $(DESTDIR)$(PREFIX)/sbin/cordond $(DESTDIR)$(PREFIX)/share/cordon \
	  $(addprefix $(DESTDIR)$(PREFIX)/share/man/man5/,$(notdir $(wildcard rules/*.5 daemon/engine/*.5))) \
	  $(addprefix $(DESTDIR)$(PREFIX)/share/man/man8/,$(notdir $(wildcard daemon/*.8 daemon/cli/*.8))) \
	  $(addprefix $(DESTDIR)$(UNITDIR)/system/,$(notdir $(wildcard systemd/*.service))) \
	  $(DESTDIR)$(PREFIX)/lib/sysusers.d/cordon.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/cordon.conf
clean: ; rm -rf $(BUILD)
help: ; @sed -n 's/^#: //p' Makefile tests/targets.mk

.PHONY: all deps install uninstall clean help
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
