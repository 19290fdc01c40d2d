//! What `perchd --help` says.

/// The whole of it.
pub(super) const TEXT: &str = "\
perchd turns this board into a remote MCP server.

Usage: perchd [serve] [OPTIONS]

  serve                 Serve until SIGTERM (what happens without a command)
  check [FILE]          Read the configuration and print what it comes to

Options of serve:
  --config FILE         The configuration [/etc/perchd/perchd.toml if there is
                        one]; the options that follow override it
  --listen ADDR:PORT    Where to listen [127.0.0.1:8787]
  --state DIR           Folder with the key ring, made on the first start
                        [$XDG_STATE_HOME/perchd or ~/.local/state/perchd]
  --auth demo|open      Who may come in [demo]
                          demo  anybody, with any e-mail address and password
                          open  anybody, without signing in
                        Both only on a loopback address: forward the port to
                        reach it from elsewhere.

  -h, --help            Print this
  -V, --version         Print the version

Environment:
  PERCHD_LOG            How much to log to stderr: warn, info, debug or trace
                        [info]

Examples:
  perchd
  perchd serve --listen 127.0.0.1:9000 --state ~/perchd-state
  PERCHD_LOG=debug perchd
";
