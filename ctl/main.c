/* chatctl: the table of its commands. */
#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"

struct command {
	const char *name;
	const char *verb; /* second word, NULL = none */
	const char *takes;
	size_t most_operands;
	int (*run)(const struct args *args);
	const char *synopsis;
	const char *help;
};

static const struct command commands[] = {
	{"setup", NULL, "cdDjN", 0, command_setup, "[--dry-run | --json] [--sql-dir DIR]",
	 "make role, database, schema and an application, or print the SQL of it"},
	{"migrate", NULL, "cdDjS", 0, command_migrate, "[--sql-dir DIR] [--status] [--json]",
	 "bring the database to the newest version, or show where it stands"},
	{"app", "create", "cij", 0, command_app_create, "--id ID [--json]",
	 "make an application with a new key and secret"},
	{"app", "list", "cj", 0, command_app_list, "[--json]", "show the applications"},
	{"user", "add", "cdiIjn", 0, command_user_add, "--id ID --name NAME [--info JSON] [--json]",
	 "make a user of the chat"},
	{"user", "set", "cdiIjn", 0, command_user_set,
	 "--id ID [--name NAME] [--info JSON] [--json]", "change what is known of a user"},
	{"user", "remove", "cdj", 1000, command_user_remove, "ID ... [--json]",
	 "remove users with their tokens, and from their chats"},
	{"user", "list", "cdjl", 0, command_user_list, "[--limit N] [--json]", "show the users"},
	{"token", "create", "cdejnu", 0, command_token_create,
	 "--user ID [--name NAME] [--expires INTERVAL] [--json]",
	 "make a bearer token and show it, this once"},
	{"token", "list", "cdjlu", 0, command_token_list, "[--user ID] [--limit N] [--json]",
	 "show the tokens, without their text"},
	{"token", "revoke", "cdj", 1000, command_token_revoke, "ID ... [--json]",
	 "remove tokens; what they opened is closed"},
	{"chat", "create", "cdjntou", 0, command_chat_create,
	 "--owner ID [--user ID] ... [--name NAME | --direct] [--json]", "make a chat"},
	{"chat", "add-user", "cdju", 1, command_chat_add_user, "CHAT --user ID ... [--json]",
	 "let users take part in a chat"},
	{"chat", "remove-user", "cdju", 1, command_chat_remove_user, "CHAT --user ID ... [--json]",
	 "end that; they lose the chat's channels at once"},
	{"chat", "list", "cdjlu", 0, command_chat_list, "[--user ID] [--limit N] [--json]",
	 "show the chats"},
	{"cleanup", NULL, "cdj", 0, command_cleanup, "[--json]",
	 "remove what dead brokers left and what is too old"},
	{"status", NULL, "cjs", 0, command_status, "[--socket PATH] [--json]",
	 "ask the running broker how it is"},
	{"reload", NULL, "cjs", 0, command_reload, "[--socket PATH] [--json]",
	 "read the configuration anew and replace the workers, none refused"},
	{"drain", NULL, "cjs", 1, command_drain, "[--socket PATH] [WORKER] [--json]",
	 "replace one worker or all; their clients go to the new ones"},
	{"serve", NULL, "cgHpw", 0, command_serve,
	 "[--host ADDRESS] [--port PORT] [--workers N] [--debug]",
	 "run the broker and its workers in the foreground"},
	{"dump-config", NULL, "cj", 0, command_dump_config, "[--json]",
	 "print the whole configuration, secrets hidden"},
	{"export-env", NULL, "cj", 1, command_export_env, "[APP] [--json]",
	 "print the environment that a Laravel application needs"},
	{"import-env", NULL, "jW", 1, command_import_env, "FILE [--output CONF] [--json]",
	 "make sections of chat.conf from the .env of a Laravel application"},
	{"check", NULL, "cdjO", 0, command_check, "[--offline] [--json]",
	 "check the configuration, what it asks of the machine, and the database"},
};

static void usage(FILE *to)
{
	(void)fputs("usage: chatctl COMMAND [options]\n\n", to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];

		(void)fprintf(to, "  %s%s%s%s%s\n\t%s\n", c->name, c->verb != NULL ? " " : "",
			      c->verb != NULL ? c->verb : "", c->synopsis[0] != '\0' ? " " : "",
			      c->synopsis, c->help);
	}
	(void)fputs("\n  --config FILE    read FILE (default /etc/chat/chat.conf); more are read "
		    "after it\n"
		    "  --conninfo TEXT  database to connect to, in place of the configured one\n",
		    to);
}

/* The command of these words; *ret_words is how many it has. */
static const struct command *find(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *c = &commands[i];

		if (argc < 2 || strcmp(argv[1], c->name) != 0)
			continue;
		if (c->verb == NULL) {
			*ret_words = 1;
			return c;
		}
		if (argc >= 3 && strcmp(argv[2], c->verb) == 0) {
			*ret_words = 2;
			return c;
		}
	}
	return NULL;
}

static bool given(int argc, char **argv, const char *word)
{
	return argc == 2 && strcmp(argv[1], word) == 0;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct args args;
	int words = 0;
	int status;

	if (given(argc, argv, "--version")) {
		(void)puts("chatctl " CHAT_VERSION);
		return CTL_OK;
	}
	if (given(argc, argv, "--help")) {
		usage(stdout);
		return CTL_OK;
	}
	command = find(argc, argv, &words);
	if (command == NULL) {
		usage(stderr);
		return CTL_USAGE;
	}
	if (!args_parse(&args, argc - words, argv + words, command->takes, command->most_operands))
		return CTL_USAGE;
	status = command->run(&args);
	if (fflush(stdout) != 0 && status == CTL_OK) {
		(void)fputs("chatctl: the output could not be written\n", stderr);
		status = CTL_IO;
	}
	return status;
}
