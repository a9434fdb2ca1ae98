/* SPDX-License-Identifier: GPL-2.0-or-later */
/* summary: cordon completion: shell code from the verb table */
#include <string.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verb.h"

/* Words an option takes, where they are few and fixed. */
static const struct {
	const char *verb, *option, *words;
} values[] = {
    {"check", "fail-on", "error warning note"},
    {"diff", "fail-on", "opened exposure any"},
    {"replay", "fail-on", "opened closed exposure any"},
    {"block", "scope", "legacy all"},
};

static const char *values_of(const struct verb *v, const char *option)
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strcmp(values[i].verb, v->name) == 0 &&
		    strcmp(values[i].option, option) == 0)
			return values[i].words;
	return NULL;
}

static void formats(const struct verb *v, const char *sep)
{
	const char *between = "";

	for (int i = 0; i < FORMAT_COUNT; i++)
		if (v->formats & FORMAT_BIT(i)) {
			printf("%s%s", between, out_formats[i]);
			between = sep;
		}
}

static bool has_formats(const struct verb *v)
{
	return (v->formats & (v->formats - 1)) != 0;
}

/* Operands that are words ("bash|zsh") rather than things on disk. */
static bool words_of(const struct verb *v)
{
	return *v->args && strchr(v->args, '|') && !strchr(v->args, ' ');
}

/* ---- bash ---- */

static void bash_options(const struct verb *v)
{
	if (has_formats(v))
		fputs(" --format", stdout);
	if (v->live)
		fputs(" --runtime-dir", stdout);
	for (const struct verb_opt *o = v->opts; o && o->name; o++)
		printf(" --%s", o->name);
}

/* What stands behind an option that takes a value. */
static void bash_values(const struct verb *v)
{
	if (has_formats(v)) {
		printf("\t%s:--format) words='", v->name);
		formats(v, " ");
		puts("' ;;");
	}
	for (const struct verb_opt *o = v->opts; o && o->name; o++) {
		const char *words = o->arg ? values_of(v, o->name) : NULL;

		if (words)
			printf("\t%s:--%s) words='%s' ;;\n", v->name, o->name, words);
		else if (o->arg)
			printf("\t%s:--%s) files=%d ;;\n", v->name, o->name,
			    strcmp(o->arg, "EVENTS") == 0 || strcmp(o->arg, "OTHER") == 0 ||
				strcmp(o->arg, "DIR") == 0);
	}
}

static void bash_verb(const struct verb *v)
{
	printf("\t%s) words='--help", v->name);
	bash_options(v);
	fputc('\'', stdout);
	if (words_of(v)) {
		fputs("; operands='", stdout);
		for (const char *s = v->args; *s; s++)
			putchar(*s == '|' ? ' ' : *s);
		fputs("'", stdout);
	}
	printf("; files=%d ;;\n", *v->args && !words_of(v) && !v->live);
}

static void bash(void)
{
	fputs("# bash completion of cordon; made by `cordon completion bash`\n"
	      "_cordon() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal verb='' words='' operands='' files=0 i=1\n"
	      "\t# bash takes = for a word of its own\n"
	      "\tif [ \"$cur\" = = ]; then cur=; fi\n"
	      "\tif [ \"$prev\" = = ] && [ \"$COMP_CWORD\" -ge 3 ]; then\n"
	      "\t\tprev=${COMP_WORDS[COMP_CWORD-2]}\n"
	      "\tfi\n"
	      "\twhile [ $i -lt \"$COMP_CWORD\" ]; do\n"
	      "\t\tcase ${COMP_WORDS[i]} in\n"
	      "\t\t--runtime-dir) i=$((i + 1)) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) verb=${COMP_WORDS[i]}; break ;;\n"
	      "\t\tesac\n"
	      "\t\ti=$((i + 1))\n"
	      "\tdone\n"
	      "\tCOMPREPLY=()\n"
	      "\tif [ \"$prev\" = --runtime-dir ]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tif [ -z \"$verb\" ] || [ \"$verb\" = help ]; then\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -W '", stdout);
	for (const struct verb *v = verbs; v->name; v++)
		printf("%s ", v->name);
	fputs("help --help --version --runtime-dir' -- \"$cur\")\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcase $verb:$prev in\n", stdout);
	for (const struct verb *v = verbs; v->name; v++)
		bash_values(v);
	fputs("\t*)\n"
	      "\tcase $verb in\n", stdout);
	for (const struct verb *v = verbs; v->name; v++)
		bash_verb(v);
	fputs("\tesac\n"
	      "\tcase $cur in\n"
	      "\t-*) files=0 operands= ;;\n"
	      "\t*) words=$operands ;;\n"
	      "\tesac ;;\n"
	      "\tesac\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\"\n"
	      "\t\t[ $files = 0 ] || compgen -f -- \"$cur\")\n"
	      "}\n"
	      "complete -o filenames -F _cordon cordon\n", stdout);
}

/* ---- zsh ---- */

/* In a description of _arguments these mean something. */
static void zsh_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\'", stdout);
		else if (strchr("[]:\\", *s))
			putchar('\\');
		putchar(*s);
	}
}

static void zsh_option(const char *name, const char *arg, const char *help,
    const char *words)
{
	printf(" \\\n\t\t\t'--%s%s[", name, arg ? "=" : "");
	zsh_text(help);
	putchar(']');
	if (arg) {
		printf(":%s:", arg);
		if (words)
			printf("(%s)", words);
		else if (strcmp(arg, "DIR") == 0 || strcmp(arg, "OTHER") == 0)
			fputs("_files -/", stdout);
		else if (strcmp(arg, "EVENTS") == 0)
			fputs("_files", stdout);
		else
			putchar(' ');
	}
	putchar('\'');
}

static void zsh_verb(const struct verb *v)
{
	printf("\t\t%s) _arguments '--help[print what it takes]'", v->name);
	if (has_formats(v)) {
		fputs(" \\\n\t\t\t'--format=[how it is written]:FORMAT:(", stdout);
		formats(v, " ");
		fputs(")'", stdout);
	}
	if (v->live)
		zsh_option("runtime-dir", "DIR", "of the daemon", NULL);
	for (const struct verb_opt *o = v->opts; o && o->name; o++)
		zsh_option(
		    o->name, o->arg, o->help, o->arg ? values_of(v, o->name) : NULL);
	if (words_of(v)) {
		fputs(" \\\n\t\t\t':word:(", stdout);
		for (const char *s = v->args; *s; s++)
			putchar(*s == '|' ? ' ' : *s);
		fputs(")'", stdout);
	} else if (*v->args && !v->live) {
		fputs(" \\\n\t\t\t'*:operand:_files'", stdout);
	}
	fputs(" ;;\n", stdout);
}

static void zsh(void)
{
	fputs("#compdef cordon\n"
	      "# made by `cordon completion zsh`\n"
	      "_cordon() {\n"
	      "\tlocal context state line curcontext=$curcontext\n"
	      "\tlocal -a verbs=(\n", stdout);
	for (const struct verb *v = verbs; v->name; v++) {
		printf("\t\t'%s:", v->name);
		zsh_text(v->help);
		fputs("'\n", stdout);
	}
	fputs("\t\t'help:print what a verb takes'\n"
	      "\t)\n"
	      "\t_arguments -C '--runtime-dir=[of the daemon]:DIR:_files -/' \\\n"
	      "\t\t'--version[print the version]' '1:verb:->verb' '*::operand:->operand'\n"
	      "\tcase $state in\n"
	      "\tverb) _describe verb verbs ;;\n"
	      "\toperand)\n"
	      "\t\tcase $line[1] in\n", stdout);
	for (const struct verb *v = verbs; v->name; v++)
		zsh_verb(v);
	fputs("\t\thelp) _describe verb verbs ;;\n"
	      "\t\tesac ;;\n"
	      "\tesac\n"
	      "}\n"
	      "if [ \"$funcstack[1]\" = _cordon ]; then _cordon \"$@\"; else compdef _cordon cordon; fi\n",
	    stdout);
}

static const struct {
	const char *name;
	void (*print)(void);
} shells[] = {
    {"bash", bash},
    {"zsh", zsh},
};

int verb_completion(int argc, char **argv)
{
	(void)argc;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(shells[i].name, argv[1]) == 0) {
			shells[i].print();
			return CLI_OK;
		}
	return cli_usage("no completion for \"%s\"", argv[1]);
}
