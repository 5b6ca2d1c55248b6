"""The command line: parses arguments, calls the folders below, returns an exit code. One file per subcommand.

In: the arguments of a command.
Out: text on stdout, one line on stderr for a mistake, an exit code.
May import: api, bounds, bundle, checks, compose, config, decoding, device, errors, evaluation, files, huggingface, text,
training, translation, values.
"""
