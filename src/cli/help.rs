//! What `perchd --help` and `perchd serve --help` say.

/// All commands.
pub(super) const TEXT: &str = "\
perchd turns this board into a remote MCP server.

Usage: perchd [COMMAND] [OPTIONS]

  init                  Make a configuration, keys and a certificate, and print
                        what to paste into each client
  serve                 Serve until SIGTERM (what happens without a command)
  check [FILE]          Read the configuration and print what it comes to
  tools                 List the tools, with the scope that each needs
  call TOOL [NAME=VALUE ...]
                        Call one of them here, with the same checks
  passwd USER           Turn a password into lines for the configuration; a new
                        one ends the user's tokens
  polkit                Print the polkit rule for the units under [services]
  connect URL           Connect Claude Desktop, or another client that starts
                        programs, to a board
  doctor [URL]          Find what is broken on the way to a board, or on it
  bundle [URL]          Write a file that Claude Desktop installs by a click

Of the server that runs:
  pair                  Show a code with which somebody may sign in once
  token new|inspect     Make a token for a program; say what one allows
  revoke                End the tokens of a user, a client, or everybody
  keys rotate|export|import
                        Change the keys; share them with other boards
  health                Say whether it answers

`perchd COMMAND --help` says more. Options of serve:
  --config FILE         The configuration; the options that follow override it
  --listen ADDR:PORT    Where to listen [127.0.0.1:8787]
  --state DIR           Folder with the key ring, made on the first start
  --auth MODE           Who may come in: users, pairing, demo or open [demo]

  -h, --help            Print this
  -V, --version         Print the version

Environment:
  PERCHD_CONFIG         The configuration, where --config names none
  PERCHD_LOG            How much to log to stderr: warn, info, debug or trace
                        [info]

Examples:
  perchd
  sudo perchd init && sudo systemctl enable --now perchd && sudo perchd pair
  perchd serve --listen 127.0.0.1:9000 --state ~/perchd-state
";

/// The server's own.
pub(super) const SERVE: &str = "\
Serves until SIGTERM. SIGHUP has the configuration read anew.

Usage: perchd [serve] [OPTIONS]

  --config FILE         The configuration; the options that follow override it
                        [$PERCHD_CONFIG; else, but for root,
                        $XDG_CONFIG_HOME/perchd/perchd.toml or
                        ~/.config/perchd/perchd.toml; else
                        /etc/perchd/perchd.toml; else none]
  --listen ADDR:PORT    Where to listen [127.0.0.1:8787]
  --state DIR           Folder with the key ring, made on the first start
                        [/var/lib/perchd for the configuration in /etc, else
                        $XDG_STATE_HOME/perchd or ~/.local/state/perchd]
  --auth MODE           Who may come in [demo]
                          users    those in the configuration, with a password
                          pairing  whoever has a code of `perchd pair`
                          demo     anybody, with any e-mail address and password
                          open     anybody, without signing in
                        The last two only on a loopback address: forward the
                        port to reach it from elsewhere.

Commands reach it over the socket `control` in $RUNTIME_DIRECTORY, else in
$XDG_RUNTIME_DIR/perchd, else in the state folder.

Exit: 0 after SIGTERM, 64 for a wrong command line, 71 if the port is taken, 77
if something may not be read or written, 78 for a wrong configuration.

Examples:
  perchd serve
  perchd serve --listen 127.0.0.1:9000 --state ~/perchd-state
";
