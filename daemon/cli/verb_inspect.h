/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon inspect: what SMB and RDP is in a capture; needs no policy */
#ifndef CLI_VERB_INSPECT_H
#define CLI_VERB_INSPECT_H

/* argv[0] is the verb, the rest are capture files ("-": standard input), read as one
 * run of packets; cli.format is text or json.  Results to stdout, diagnostics to
 * stderr.  Returns CLI_OK, CLI_USAGE (a file is no capture) or CLI_SYSTEM.  A file
 * that breaks off is used as far as it goes, and the summary counts it. */
int verb_inspect(int argc, char **argv);

#endif
