"""The command line: words in, one of the modules below it called, an exit code out. One file a subcommand."""
