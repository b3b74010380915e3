"""The subcommands of `ssd`, a module each: `add` gives the parser its arguments, and what then runs."""
